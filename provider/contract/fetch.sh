#!/bin/sh
# Functions of a long step that fetches: room, lengths, fetch, and what they need. The working directory takes
# the temporary files; the first line of stdin may be a bearer token. `$refused` may hold what to tell of a
# server that refuses.
set -u
umask 022
IFS= read -r token || :
config() { [ -z "$token" ] || printf 'header = "Authorization: Bearer %s"\n' "$token"; }
size() { stat -c %s -- "$1" 2>/dev/null || echo 0; }
gb() { awk -v b="$1" 'BEGIN { if (b >= 1e9) printf "%.1f GB", b / 1e9; else printf "%.1f MB", b / 1e6 }'; }
sum() { sha256sum -- "$1" | cut -d' ' -f1; }
fail() { echo "$*" >&2; exit 1; }
length() { config | curl --config - --proto =http,https --silent --location --head --connect-timeout 20 --max-time 60 "$1" 2>/dev/null |
  tr -d '\r' | awk 'tolower($1) == "x-linked-size:" { l = $2 } tolower($1) == "content-length:" { c = $2 } /^HTTP/ { s = $2; c = "" } END { print (s == 200 || l) ? (l ? l : c) : "" }'; }
lengths() { for u; do l=$(length "$u"); [ -z "$l" ] || { echo "$l"; return; }; done; }
room() { # FOLDER BYTES WHAT: says what is missing before anything is written
  free=$(df -P -B1 -- "$1" | awk 'NR == 2 { print $4 }')
  [ "$2" -le "$free" ] || fail "not enough room in $1: $(gb "$2") $3, $(gb "$free") free, $(gb $(($2 - free))) missing"
}
spare() { # FILE: how large it may become where no server says how large it is; a twentieth of the disk, at most 10 GB, stays free
  df -P -B1 -- "$(dirname -- "$1")" | awk -v has="$(size "$1")" 'NR == 2 { keep = $2 / 20; if (keep > 1e10) keep = 1e10; printf "%.0f", has + $4 - keep }'
}
download() { # LABEL PARTIAL TOTAL ATTEMPTS URL: into the partial file; says what went wrong in $why
  tries=0
  while :; do
    from=$(size "$2")
    [ -n "$3" ] && [ "$from" -gt "$3" ] && { rm -f -- "$2"; from=0; }
    [ -n "$3" ] && [ "$3" -gt 0 ] && [ "$from" -eq "$3" ] && return 0
    if [ "${3:-0}" -gt 0 ]; then most=$3; else most=$(spare "$2"); fi
    [ "$most" -gt "$from" ] || { why="it does not say how large it is, and what is free stays in reserve"; return 1; }
    # The kernel ends a curl that writes more, in blocks of 512 bytes; a look now and then would come too late.
    # shellcheck disable=SC3045 # dash has it
    config | (ulimit -c 0; ulimit -f $((most / 512 + 1)); exec curl --config - --proto =http,https --silent --show-error --location \
      --fail --connect-timeout 20 --speed-limit 1 --speed-time 60 --continue-at - --output "$2" --write-out '%{http_code}' "$5") \
      > ./code 2> ./error &
    pause=0.2
    while sleep $pause && kill -0 $! 2>/dev/null; do
      pause=2; echo "$1: $(gb "$(size "$2")")${3:+ of $(gb "$3")}"
    done
    wait $!; rc=$?; code=$(cat ./code); why=$(tail -n 1 ./error)
    if [ "$(size "$2")" -gt "$most" ]; then
      if [ "${3:-0}" -gt 0 ]; then why="it sends more than the $(gb "$3") that were announced"
      else why="it does not say how large it is, and came to $(gb "$most"); the rest of the disk stays in reserve"; fi
      rm -f -- "$2"; return 1
    fi
    [ $rc -eq 0 ] && return 0
    case $code in
    401|403) why="HTTP $code: the server refuses${refused-}"; return 1 ;;
    416) rm -f -- "$2" ;;
    404|410) why="HTTP $code: no such file"; return 1 ;;
    esac
    [ $rc -eq 1 ] && return 1 # sent on to a protocol that we do not take
    [ $rc -eq 23 ] && fail "$1: cannot write $2: $why
$(df -P -h -- "$(dirname -- "$2")")"
    [ $rc -eq 33 ] && rm -f -- "$2"
    if [ "$(size "$2")" -gt "$from" ]; then tries=0; else tries=$((tries + 1)); fi
    [ "$tries" -lt "$4" ] || return 1
    echo "$1: $why; trying again"; sleep $((1 + tries))
  done
}
try() { # LABEL PARTIAL SHA256 TOTAL ATTEMPTS URL: verified content in the partial file, or what went wrong in $why
  for _ in resumed fresh; do
    before=$(size "$2")
    download "$1" "$2" "$4" "$5" "$6" || return 1
    echo "$1: checking the hash"
    got=$(sum "$2")
    [ "$got" != "$3" ] || return 0
    rm -f -- "$2"
    why="wrong content, deleted.
  wanted sha256 $3
  got    sha256 $got"
    # Bytes from an earlier run may be the wrong ones; a download of one piece is what the address holds.
    [ "$before" -gt 0 ] || return 1
    echo "$1: the resumed download is damaged; fetching all of it again"
  done
  return 1
}
fetch() { # LABEL TO PARTIAL SHA256 TOTAL URL...
  label=$1 to=$2 partial=$3 want=$4 total=$5; shift 5
  mkdir -p -- "$(dirname -- "$to")" "$(dirname -- "$partial")" || exit 1
  if [ -f "$to" ]; then
    echo "$label: checking the file that is there"
    [ "$(sum "$to")" != "$want" ] || return 0
    mv -f -- "$to" "$partial"
  fi
  said=
  while [ $# -gt 0 ]; do
    [ $# -eq 1 ] && attempts=8 || attempts=3
    # Of several, each is held to what it says itself: another one may have another file.
    if [ $# -gt 1 ] || [ -n "$said" ]; then total=$(length "$1"); fi
    if try "$label" "$partial" "$want" "$total" "$attempts" "$1"; then
      mv -f -- "$partial" "$to" && chmod -- 0644 "$to" || exit 1
      echo "$label: done"; return 0
    fi
    said="$said
$1: $why"
    [ $# -eq 1 ] || echo "$1: $why; trying $2"
    shift
  done
  fail "$label: no address delivered it$said"
}
