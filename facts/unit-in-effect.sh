#!/bin/sh
# How systemd has the unit $1, and every file of it: what systemd has read, and what its next daemon-reload would find in the
# places that follow: files, and folders of drop-ins (`.d`). Prints properties as systemctl does, then lines of fields with
# tabs between:
#   file TYPE MODE OWNER CHANGED TARGET CONTENT PATH
unit=$1
shift
show=$(systemctl show --property=LoadState,FragmentPath,DropInPaths,NeedDaemonReload,Transient,ExecStart -- "$unit") || exit
printf '%s\n' "$show"
property() { printf '%s\n' "$show" | sed -n "s/^$1=//p"; }
{
  property FragmentPath
  property DropInPaths | tr ' ' '\n'
  for place; do
    case $place in
    *.d) for file in "$place"/*.conf; do printf '%s\n' "$file"; done ;;
    *) printf '%s\n' "$place" ;;
    esac
  done
} | sort -u | while IFS= read -r file; do
  [ -e "$file" ] || [ -L "$file" ] || continue
  [ ! -d "$file" ] || continue
  stat --printf='file\t%F\t%a\t%U:%G\t%Z\t' -- "$file" || exit
  printf '%s\t%s\t%s\n' "$(readlink -- "$file")" "$([ ! -f "$file" ] || base64 -w0 <"$file")" "$file"
done
