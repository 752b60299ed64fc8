import { type ShellCommand, sh } from "#transport/command.ts";

/** One file to have on a host: from the first of its addresses that delivers the right content. */
export interface Fetch {
  /** What operators call it, in progress and errors. */
  readonly label: string;
  /** Where it is to lie. */
  readonly to: string;
  /** Where it grows until its hash is right; on the same file system, so that it ends in a rename. */
  readonly partial: string;
  readonly sha256: string;
  /** Tried in order. */
  readonly urls: readonly string[];
}

/** Commands one a line, those that hold none left out. */
export const lines = (commands: readonly ShellCommand[]): ShellCommand => ({
  text: commands
    .map(({ text }) => text)
    .filter((text) => text !== "")
    .join("\n"),
});

/**
 * Shell functions of a long step that fetches; its working directory takes the temporary files. A bearer token may be the
 * first line of stdin. `$refused` may hold what to tell of a server that refuses.
 *
 * `curl --continue-at` resumes; a server that cannot is asked for all of it again. curl's own --retry would begin at the
 * first offset again, so the loop is ours: it goes on while bytes come, and gives an address up after 8 attempts without a
 * new one, after 3 while there is another address.
 */
const functions = sh`set -u
umask 022
IFS= read -r token || :
config() { [ -z "$token" ] || printf 'header = "Authorization: Bearer %s"\\n' "$token"; }
size() { stat -c %s -- "$1" 2>/dev/null || echo 0; }
gb() { awk -v b="$1" 'BEGIN { if (b >= 1e9) printf "%.1f GB", b / 1e9; else printf "%.1f MB", b / 1e6 }'; }
sum() { sha256sum -- "$1" | cut -d' ' -f1; }
fail() { echo "$*" >&2; exit 1; }
length() { config | curl --config - --proto =http,https --silent --location --head --connect-timeout 20 --max-time 60 "$1" 2>/dev/null |
  tr -d '\\r' | awk 'tolower($1) == "x-linked-size:" { l = $2 } tolower($1) == "content-length:" { c = $2 } /^HTTP/ { s = $2; c = "" } END { print (s == 200 || l) ? (l ? l : c) : "" }'; }
lengths() { for u; do l=$(length "$u"); [ -z "$l" ] || { echo "$l"; return; }; done; }
room() { # FOLDER BYTES WHAT: says what is missing before anything is written
  free=$(df -P -B1 -- "$1" | awk 'NR == 2 { print $4 }')
  [ "$2" -le "$free" ] || fail "not enough room in $1: $(gb "$2") $3, $(gb "$free") free, $(gb $(($2 - free))) missing"
}
spare() { # FILE: how large it may become where no server says how large it is; a twentieth of the disk, at most 10 GB, stays free
  df -P -B1 -- "$(dirname -- "$1")" | awk -v has="$(size "$1")" 'NR == 2 { keep = $2 / 20; if (keep > 1e10) keep = 1e10; printf "%.0f", has + $4 - keep }'; }
download() { # LABEL PARTIAL TOTAL ATTEMPTS URL: into the partial file; says what went wrong in $why
  tries=0
  while :; do
    from=$(size "$2")
    [ -n "$3" ] && [ "$from" -gt "$3" ] && { rm -f -- "$2"; from=0; }
    [ -n "$3" ] && [ "$3" -gt 0 ] && [ "$from" -eq "$3" ] && return 0
    if [ "\${3:-0}" -gt 0 ]; then most=$3; else most=$(spare "$2"); fi
    [ "$most" -gt "$from" ] || { why="it does not say how large it is, and what is free stays in reserve"; return 1; }
    # The kernel ends a curl that writes more, in blocks of 512 bytes; a look now and then would come too late.
    config | (ulimit -c 0; ulimit -f $((most / 512 + 1)); exec curl --config - --proto =http,https --silent --show-error --location \
      --fail --connect-timeout 20 --speed-limit 1 --speed-time 60 --continue-at - --output "$2" --write-out '%{http_code}' "$5") \
      > ./code 2> ./error &
    pause=0.2
    while sleep $pause && kill -0 $! 2>/dev/null; do
      pause=2; echo "$1: $(gb "$(size "$2")")\${3:+ of $(gb "$3")}"
    done
    wait $!; rc=$?; code=$(cat ./code); why=$(tail -n 1 ./error)
    if [ "$(size "$2")" -gt "$most" ]; then
      [ "\${3:-0}" -gt 0 ] && why="it sends more than the $(gb "$3") that were announced" ||
        why="it does not say how large it is, and came to $(gb "$most"); the rest of the disk stays in reserve"
      rm -f -- "$2"; return 1
    fi
    [ $rc -eq 0 ] && return 0
    case $code in
    401|403) why="HTTP $code: the server refuses\${refused-}"; return 1 ;;
    416) rm -f -- "$2" ;;
    404|410) why="HTTP $code: no such file"; return 1 ;;
    esac
    [ $rc -eq 1 ] && return 1 # sent on to a protocol that we do not take
    [ $rc -eq 23 ] && fail "$1: cannot write $2: $why
$(df -P -h -- "$(dirname -- "$2")")"
    [ $rc -eq 33 ] && rm -f -- "$2"
    if [ "$(size "$2")" -gt "$from" ]; then tries=0; else tries=$((tries + 1)); fi
    [ $tries -lt $4 ] || return 1
    echo "$1: $why; trying again"; sleep $((1 + tries))
  done
}
try() { # LABEL PARTIAL SHA256 TOTAL ATTEMPTS URL: verified content in the partial file, or what went wrong in $why
  for attempt in resumed fresh; do
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
    [ $# -eq 1 ] && [ -z "$said" ] || total=$(length "$1")
    if try "$label" "$partial" "$want" "$total" $attempts "$1"; then
      mv -f -- "$partial" "$to" && chmod 0644 -- "$to" || exit 1
      echo "$label: done"; return 0
    fi
    said="$said
$1: $why"
    [ $# -eq 1 ] || echo "$1: $why; trying $2"
    shift
  done
  fail "$label: no address delivered it$said"
}`;

/** Before the fetches: asks the servers for the sizes and makes `$need` the bytes that are still to come. */
const measured = (fetches: readonly Fetch[]): ShellCommand => sh`need=0
${lines(
  fetches.map(
    ({ to, partial, urls }, index) =>
      sh`total${index}=$(lengths ${urls}); left=$((\${total${index}:-0} - $(size ${partial})))
[ $left -le 0 ] || [ -f ${to} ] || need=$((need + left))`,
  ),
)}`;

/** What a script that fetches is made of, in this order. */
export interface FetchScript {
  /** Folder on whose file system everything lands; it exists once `prepare` is done. */
  readonly folder: string;
  /** Makes folders; `fail` and the other functions are known by then. */
  readonly prepare: ShellCommand;
  readonly fetches: readonly Fetch[];
  /** What else must fit beside the bytes to come, as shell arithmetic in which `$total0` is the first file's size. @default nothing */
  readonly alsoNeeded?: ShellCommand;
  /** Done after each file, with its index in `fetches`; a failure is to exit. */
  readonly after?: (fetch: Fetch, index: number) => ShellCommand;
}

/**
 * A script that leaves every file verified in its place, to be run as a long step: resumes what is half there, tells before
 * the first byte when the disk is too small, moves a file in place only when its hash is right.
 */
export function fetchScript({ folder, prepare, fetches, alsoNeeded, after }: FetchScript): ShellCommand {
  return sh`${functions}
${prepare}
${measured(fetches)}
${alsoNeeded ? sh`need=$((need + ${alsoNeeded}))` : sh``}
room ${folder} "$need" "to fetch"
${lines(
  fetches.flatMap((it, index) => [
    sh`fetch ${it.label} ${it.to} ${it.partial} ${it.sha256} "$total${index}" ${it.urls}`,
    after?.(it, index) ?? sh``,
  ]),
)}`;
}
