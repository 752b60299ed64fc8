#!/bin/sh
# Puts stdin in place as a whole or not at all. All goes through the one file that was opened: the owner of the folder may put
# something else under its name meanwhile.
#
# Parameters: template of the temporary file, in the same folder; owner, mode and path.
set -e
new=$(mktemp "$1")
trap 'rm -f "$new"' EXIT
trap 'exit 1' HUP INT TERM
exec 3>>"$new"
if [ "$(stat -c %d:%i:%h "$new")" != "$(stat -L -c %d:%i:1 /proc/self/fd/3)" ]; then
  echo "somebody put another file in place of $new" >&2
  exit 1
fi
cat >&3
chown "$2" /proc/self/fd/3
chmod "$3" /proc/self/fd/3
exec 3>&-
mv -fT "$new" "$4"
trap - EXIT
