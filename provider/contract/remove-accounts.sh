#!/bin/sh
# Removes the users, groups and memberships that make-accounts.sh has noted. One that something on the machine still belongs
# to stays, since its number would be given to somebody else; its line says why, and the note keeps it for the next time.
# Parameters: notes.

# The first file or process of the user (-uid) or group (-gid) with that number. A machine may have millions of files, so
# the search ends unfinished after a while.
# shellcheck disable=SC2046 # one mount point a word
first_of() {
  found=$(IFS='
'; timeout 20 find $(df --local --output=target 2>/dev/null | sed 1d) /proc -xdev -path '/proc/*/*' -prune -o "$1" "$2" -print -quit 2>/dev/null)
  if [ $? = 124 ]; then found='something, perhaps: the search took more than 20 s,'; fi
  printf '%s' "$found"
}
named() { sed -n "s/^$1 //p" "$note"; }
number() { getent "$1" "$2" | cut -d: -f3; }
remove_user() {
  id=$(number passwd "$1")
  [ -n "$id" ] || return
  its=$(first_of -uid "$id")
  if [ -n "$its" ]; then echo "user $1 stays: $its is its"; else userdel -- "$1" 2>&1; fi
}
remove_group() {
  id=$(number group "$1")
  [ -n "$id" ] || return
  if getent passwd | cut -d: -f4 | grep -qx "$id"; then return; fi
  members=$(getent group "$1" | cut -d: -f4)
  if [ -n "$members" ]; then
    echo "group $1 stays: $members is in it"
    return
  fi
  its=$(first_of -gid "$id")
  if [ -n "$its" ]; then echo "group $1 stays: $its is its"; else groupdel -- "$1" 2>&1; fi
}

for note; do
  [ -e "$note" ] || continue
  named member | while read -r user group; do gpasswd -d "$user" "$group" >/dev/null 2>&1; done
  named user | while read -r name; do remove_user "$name"; done
  named group | while read -r name; do remove_group "$name"; done
  left=$(
    named user | while read -r name; do [ -z "$(number passwd "$name")" ] || echo "user $name"; done
    named group | while read -r name; do [ -z "$(number group "$name")" ] || echo "group $name"; done
  )
  if [ -n "$left" ]; then printf '%s\n' "$left" >"$note"; else rm -f -- "$note"; fi
done
