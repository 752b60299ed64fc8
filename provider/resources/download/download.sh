#!/bin/sh
# Functions that put a download in place, after those of provider/contract/fetch.sh. STAGING is a folder of
# ours beside the place; what is to stand there is made in STAGING/tree. `listing` prints all below the
# working directory, one line each.
begin() { # STAGING: an empty tree; what was begun for another content of this name is of no use any more
  mkdir -p -- "$1" || exit 1
  for other in "$(dirname -- "$1")"/*; do [ "$other" = "$1" ] || rm -rf -- "$other"; done
  rm -rf -- "$1/tree" && mkdir -- "$1/tree" || exit 1
  # What was refused does not stay, with the links in it.
  begun=$1
  trap '[ $? -eq 0 ] || rm -rf -- "$begun/tree"' EXIT
}
reuse() { # FILE SHA256 TO: a file that is right and stands there with another mode, say, need not come again
  [ ! -f "$1" ] || [ "$(sum "$1")" != "$2" ] || ln -- "$1" "$3" || exit 1
}
unpack() { # LABEL ARCHIVE STAGING STRIP: looked at before any of it is put in place
  label=$1 archive=$2 staging=$3 strip=$4
  echo "$label: unpacking"
  tar --absolute-names --list --verbose --full-time --numeric-owner --quoting-style=escape --file="$archive" > ./members 2> ./error ||
    fail "$label is no archive that can be read here: $(head -n 1 ./error)"
  # By itself GNU tar only skips members with `..`, and we want none of such an archive.
  bad=$(awk '{ name = $0; for (i = 0; i < 5; i++) sub(/^ *[^ ]+ +/, "", name); if ($1 ~ /^[lh]/) sub(/ (->|link to) .*/, "", name)
    if (name ~ /^\// || name ~ /(^|\/)\.\.(\/|$)/ || name ~ /\\([abefnrtv]|0[0-3]|177)/ || $1 !~ /^[-dlh]/) print }' ./members | head -n 3)
  [ -z "$bad" ] || fail "$label holds members that must not be unpacked (absolute, above the folder, devices, odd names); nothing was put in place:
$bad"
  room "$staging" "$(awk '{ s += 4096 + $3 } END { printf "%.0f", s }' ./members)" "to unpack"
  # As root it would otherwise restore owners and setuid bits.
  tar --extract --no-same-owner --no-same-permissions --strip-components="$strip" --file="$archive" --directory="$staging/tree" 2> ./error ||
    fail "$label cannot be unpacked: $(head -n 3 ./error)"
  [ -n "$(ls -A "$staging/tree")" ] || fail "nothing of $label is left with strip $strip; it holds
$(head -n 3 ./members)"
  find "$staging/tree" -type l -printf '%l\n' | grep '^/' > ./outside
  find "$staging/tree" -type l -print0 | xargs -0 -r realpath -m -- |
    awk -v top="$(realpath -- "$staging")/tree" '$0 != top && index($0, top "/") != 1' >> ./outside
  [ ! -s ./outside ] || fail "$label holds links that lead out of it; nothing was put in place:
$(head -n 3 ./outside)"
}
try_program() { # LABEL STAGING PROGRAM ARGUMENT...: as nobody, since the machine has not met the vendor's program before
  label=$1 staging=$2; shift 2
  echo "$label: trying $*"
  program=$1; shift
  (cd / && exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs timeout 60 "$staging/tree/$program" "$@") > ./trial 2>&1 ||
    fail "$label: $program does not run on this machine (exit code $?); nothing was put in place
$(tail -n 5 ./trial)"
}
put_in_place() { # LABEL STAGING FOLDER RECORD OWNER LINE [PROGRAM ARGUMENT...]: the record begins with the line; the program is tried before
  label=$1 staging=$2 folder=$3 record=$4 owner=$5 line=$6; shift 6
  chown -hR -- "$owner" "$staging/tree" && chmod -- 0755 "$staging/tree" || exit 1
  [ $# -eq 0 ] || try_program "$label" "$staging" "$@"
  mkdir -p -- "$(dirname -- "$folder")" "$(dirname -- "$record")" || exit 1
  rm -rf -- "$staging/old"
  [ ! -e "$folder" ] || mv -T -- "$folder" "$staging/old" || exit 1
  mv -T -- "$staging/tree" "$folder" || exit 1
  # What was reused hangs on both, and has its last ctime when the old one is gone.
  rm -rf -- "$staging/old"
  { printf '%s\n' "$line" && cd "$folder" && listing; } > "$staging/record" || exit 1
  cd / && mv -fT -- "$staging/record" "$record" || exit 1
  rm -rf -- "$staging"
  rmdir --ignore-fail-on-non-empty -p -- "$(dirname -- "$staging")"
  echo "$label: in place"
}
