import { type Command, sh } from "#transport/command.ts";
import { type ModelPlace, modelFolder, partialFolder, stampsFolder } from "./places.ts";

/** One file to have: from the first of its addresses that delivers. */
export interface Download {
  readonly file: string;
  readonly sha256: string;
  readonly urls: readonly string[];
}

// Functions of the script. `curl --continue-at` resumes; a server that cannot is asked for all of it again. curl's own
// --retry would begin at the first offset again, so the loop is ours: it gives up after 8 attempts without a new byte.
const functions = sh`set -u
umask 022
IFS= read -r token || :
config() { [ -z "$token" ] || printf 'header = "Authorization: Bearer %s"\\n' "$token"; }
size() { stat -c %s -- "$1" 2>/dev/null || echo 0; }
gb() { awk -v b="$1" 'BEGIN { if (b >= 1e9) printf "%.1f GB", b / 1e9; else printf "%.1f MB", b / 1e6 }'; }
sum() { sha256sum -- "$1" | cut -d' ' -f1; }
fail() { echo "$*" >&2; exit 1; }
length() { config | curl --config - --silent --location --head --connect-timeout 20 --max-time 60 "$1" 2>/dev/null |
  tr -d '\\r' | awk 'tolower($1) == "x-linked-size:" { l = $2 } tolower($1) == "content-length:" { c = $2 } /^HTTP/ { s = $2 } END { print (s == 200 || l) ? (l ? l : c) : "" }'; }
keep() { mkdir -p -- "$(dirname -- "$stamps/$1")" && s=$(stat -c '%s %.9Y %i' -- "$folder/$1") &&
  printf '%s %s\\n' "$s" "$2" > "$stamps/$1.new" && mv -f -- "$stamps/$1.new" "$stamps/$1"; }
download() { # FILE TOTAL URL: into the partial file; says what went wrong in $why
  tries=0
  while :; do
    from=$(size "$partial/$1")
    [ -n "$2" ] && [ "$from" -gt "$2" ] && { rm -f -- "$partial/$1"; from=0; }
    [ -n "$2" ] && [ "$2" -gt 0 ] && [ "$from" -eq "$2" ] && return 0
    config | curl --config - --silent --show-error --location --fail --connect-timeout 20 --speed-limit 1 --speed-time 60 \
      --continue-at - --output "$partial/$1" --write-out '%{http_code}' "$3" > "$work.code" 2> "$work.error" &
    pause=0.2
    while sleep $pause && kill -0 $! 2>/dev/null; do
      pause=2; echo "$1: $(gb "$(size "$partial/$1")") of \${2:+$(gb "$2")}"
    done
    wait $!; rc=$?; code=$(cat "$work.code"); why=$(tail -n 1 "$work.error")
    [ $rc -eq 0 ] && return 0
    case $code in
    401|403) why="HTTP $code: the server refuses. A gated model needs its licence accepted on the hub, and the token of that account"; return 1 ;;
    416) rm -f -- "$partial/$1" ;;
    404|410) why="HTTP $code: no such file"; return 1 ;;
    esac
    [ $rc -eq 33 ] && rm -f -- "$partial/$1"
    if [ "$(size "$partial/$1")" -gt "$from" ]; then tries=0; else tries=$((tries + 1)); fi
    [ $tries -lt 8 ] || return 1
    echo "$1: $why; trying again"; sleep $((1 + tries))
  done
}
fetch() { # FILE SHA256 TOTAL URL...
  file=$1 want=$2 total=$3; shift 3
  mkdir -p -- "$(dirname -- "$folder/$file")" "$(dirname -- "$partial/$file")"
  if [ -f "$folder/$file" ]; then
    echo "$file: checking the file that is there"
    if [ "$(sum "$folder/$file")" = "$want" ]; then keep "$file" "$want" || exit 1; return; fi
    mv -f -- "$folder/$file" "$partial/$file"
  fi
  for attempt in resumed fresh; do
    before=$(size "$partial/$file"); got=
    for url; do
      if download "$file" "$total" "$url"; then got=yes; break; fi
      echo "$url: $why" >&2
    done
    [ -n "$got" ] || fail "$file: no address delivered it"
    echo "$file: checking the hash"
    have=$(sum "$partial/$file")
    if [ "$have" = "$want" ]; then
      mv -f -- "$partial/$file" "$folder/$file" && chmod 0644 -- "$folder/$file" && keep "$file" "$want" || exit 1
      echo "$file: done"; return
    fi
    rm -f -- "$partial/$file"
    # Bytes from an earlier run may be the wrong ones; a download of one piece is what the address holds.
    [ "$before" -gt 0 ] || break
    echo "$file: the resumed download is damaged; fetching all of it again"
  done
  fail "$file: wrong content, deleted.
  wanted sha256 $want
  got    sha256 $have
Is the hash of this revision the right one?"
}`;

/**
 * A script that leaves every file verified in its folder, to be run as a long step: resumes what is half there, tells
 * before the first byte when the disk is too small, moves a file in place only when its hash is right. The token, if
 * there is one, is the first line of stdin.
 */
export function fetchScript(model: ModelPlace, downloads: readonly Download[]): Command {
  const sizes = downloads.map(
    ({
      file,
      urls,
    }) => sh`total=$(for u in ${urls}; do l=$(length "$u"); [ -z "$l" ] || { echo "$l"; break; }; done)
f=${file}; left=$((\${total:-0} - $(size "$partial/$f"))); [ $left -gt 0 ] && [ ! -f "$folder/$f" ] && need=$((need + left)); printf '%s\\n' "$total" >> "$work.sizes"`,
  );
  const fetches = downloads.map(
    ({ file, sha256, urls }, index) =>
      sh`fetch ${file} ${sha256} "$(sed -n ${index + 1}p "$work.sizes")" ${urls}`,
  );
  const lines = (commands: readonly Command[]): Command => ({
    text: commands.map(({ text }) => text).join("\n"),
  });
  return sh`${functions}
folder=${modelFolder(model)} stamps=${stampsFolder(model)} partial=${partialFolder(model)}
mkdir -p -- "$folder" "$stamps" "$partial" || exit 1
work=$(mktemp) && trap 'rm -f -- "$work" "$work".*' EXIT
: > "$work.sizes"; need=0
${lines(sizes)}
free=$(df -P -B1 -- "$folder" | awk 'NR == 2 { print $4 }')
[ "$need" -le "$free" ] || fail "not enough room in ${{ text: "$folder" }}: $(gb "$need") to fetch, $(gb "$free") free, $(gb $((need - free))) missing"
${lines(fetches)}`;
}
