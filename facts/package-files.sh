#!/bin/sh
# shellcheck disable=SC2016
# Which files of packages are no longer as the packages brought them. $1: 1 hashes all of them, 0 only those that were touched
# since and are smaller than $2 (in units of 512 bytes). Then the packages' names. Prints lines of fields with tabs between:
#   package NAME | missing PATH | touched TYPE MODE OWNER TARGET PATH | hashed PATH | changed PATH
# Left out are configuration files, which may be edited, and documentation: minimal systems never unpack it.
deep=$1 large=$2
shift 2
info=/var/lib/dpkg/info
architecture=$(dpkg --print-architecture) || exit
cd / || exit

# Hands the paths on stdin to a script as its last parameters; $1 is the script, $2 its first parameter.
with_paths() { tr '\n' '\0' | xargs -0 -r sh -c "$1" sh "$2" 2>/dev/null; }
# The package's list is written when all of it is unpacked; whatever was done to a file since shows in its ctime.
since='list=$1; shift; find "$@" -maxdepth 0 ! -type d -cnewer "$list"'
describe='shift; find "$@" -maxdepth 0 -printf "touched\t%y\t%m\t%u:%g\t%l\t%p\n"'
regular='size=$1; shift; find "$@" -maxdepth 0 -type f -size "$size"'
[ "$deep" = 1 ] && size=-9999999999 || size=-$large

for name; do
  base=$info/$name
  [ -e "$base.list" ] || base=$info/$name:$architecture
  [ -e "$base.list" ] || continue
  printf 'package\t%s\n' "$name"
  paths=$(grep -v -E '^(/\.|/usr/share/(doc|man|info|locale|lintian)/.*)$' "$base.list")
  [ ! -e "$base.conffiles" ] || paths=$(printf '%s\n' "$paths" | grep -v -x -F -f "$base.conffiles")
  printf '%s\n' "$paths" | while IFS= read -r path; do
    [ -e "$path" ] || [ -L "$path" ] || printf 'missing\t%s\n' "$path"
  done
  touched=$(printf '%s\n' "$paths" | with_paths "$since" "$base.list")
  sums=
  if [ -n "$touched" ]; then
    printf '%s\n' "$touched" | with_paths "$describe" -
    # A few of others, with a longer path, do no harm.
    sums=$(printf '%s\n' "$touched" | with_paths "$regular" "$size" | sed 's|^/|  |' | grep -F -f - "$base.md5sums" 2>/dev/null)
  fi
  [ -z "$sums" ] || printf '%s\n' "$sums" | sed 's|^[0-9a-f]*  |hashed\t/|'
  [ "$deep" = 0 ] || sums=$(cat "$base.md5sums" 2>/dev/null)
  [ -z "$sums" ] || printf '%s\n' "$sums" | md5sum --quiet -c - 2>/dev/null | sed -n 's|^\(.*\): FAILED$|changed\t/\1|p'
done
exit 0
