#!/bin/sh
# Removes the users, groups and memberships that make-accounts.sh has noted. One that something on the machine still belongs
# to stays, and its line says why: its number would be given to somebody else.
# Parameter: where the note is kept.
note=$1
[ -e "$note" ] || exit 0

# The first file or process of the user (-uid) or group (-gid) with that number. A machine may have millions of files, so
# the search ends unfinished after a while.
first_of() {
  found=$(IFS='
'; timeout 20 find $(df --local --output=target 2>/dev/null | sed 1d) /proc -xdev -path '/proc/*/*' -prune -o "$1" "$2" -print -quit 2>/dev/null)
  if [ $? = 124 ]; then found='something, perhaps: the search took more than 20 s'; fi
  printf '%s' "$found"
}
named() { sed -n "s/^$1 //p" "$note"; }
number() { getent "$1" "$2" | cut -d: -f3; }

named member | while read -r user group; do gpasswd -d "$user" "$group" >/dev/null 2>&1; done
named user | while read -r user; do
  id=$(number passwd "$user")
  [ -n "$id" ] || continue
  its=$(first_of -uid "$id")
  if [ -n "$its" ]; then echo "user $user stays: $its is its"; else userdel -- "$user" 2>&1; fi
done
named group | while read -r group; do
  id=$(number group "$group")
  [ -n "$id" ] || continue
  members=$(getent group "$group" | cut -d: -f4)
  if getent passwd | cut -d: -f4 | grep -qx "$id"; then continue; fi
  if [ -n "$members" ]; then echo "group $group stays: $members"; continue; fi
  its=$(first_of -gid "$id")
  if [ -n "$its" ]; then echo "group $group stays: $its is its"; else groupdel -- "$group" 2>&1; fi
done
rm -f -- "$note"
