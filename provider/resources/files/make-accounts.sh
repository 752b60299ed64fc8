#!/bin/sh
# Makes the users, groups and memberships that a file of /etc/sysusers.d names; its content comes on stdin. Those that were
# not there before are noted first, once and for all, so that they can go again.
# Parameters: path of the file, where the note is kept.
at=$1 note=$2
content=$(cat)
said() { printf '%s\n' "$content"; }
there() { getent "$1" "$2" >/dev/null; }
member() { id -nG "$1" | tr ' ' '\n' | grep -qxF "$2"; }

said | while read -r kind name group _; do
  case $kind in
  g) there group "$name" || echo "group $name" ;;
  u)
    there passwd "$name" || echo "user $name"
    there group "$name" || echo "group $name"
    ;;
  m)
    there group "$group" || echo "group $group"
    ! there passwd "$name" || member "$name" "$group" || echo "member $name $group"
    ;;
  esac
done | sort -u | while read -r line; do
  umask 077
  mkdir -p "${note%/*}" || exit 1
  grep -qxF "$line" "$note" 2>/dev/null || printf '%s\n' "$line" >>"$note" || exit 1
done || exit 1
said | systemd-sysusers --replace="$at" -
