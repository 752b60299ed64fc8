#!/bin/sh
# Compares a folder with the record of what was put there. Only lines that differ travel. Files that somebody touched and
# that look the same are hashed; a deep look hashes all. Records of older releases hold no hashes.
#
# Parameters: folder, record, 1 for a deep look, folders of work that is not done. `entries` lists the working directory.
d=$1 r=$2 deep=$3
shift 3
tab=$(printf '\t')
listed() { if grep -q "^sum$tab" "$r"; then entries ' %C@'; else entries ''; fi; }
[ -d "$d" ] && echo present
[ -f "$r" ] && printf 'record\t%s\n' "$(head -n 1 -- "$r")"
if [ -d "$d" ] && [ -f "$r" ]; then
  lines=$( (cd "$d" && listed) | { exec 3<&0; tail -n +2 -- "$r" | grep -v "^sum$tab" | LC_ALL=C comm -3 --nocheck-order --output-delimiter='>' - /dev/fd/3; } | awk -F '\t' '
    { now = /^>/; path = $6; for (i = 7; i <= NF; i++) path = path "\t" $i; line[path, now] = $0; paths[path] = 1 }
    function still(text) { sub(/^>/, "", text); split(text, part, "\t"); if (part[1] != "d") sub(/ [^ \t]*\t/, "\t", text); return text }
    END { for (path in paths) {
      if ((path, 0) in line && (path, 1) in line) {
        split(line[path, 0], was, "\t")
        if (split(was[4], stamp, " ") == 4 && still(line[path, 0]) == still(line[path, 1])) { print "touched\t" path; continue }
      }
      for (now = 0; now < 2; now++) if ((path, now) in line) print "differs\t" line[path, now]
    } }' | LC_ALL=C sort)
  printf '%s\n' "$lines" | grep '^differs' | head -n 400
  { printf '%s\n' "$lines"; grep "^sum$tab" "$r"; } | awk -F '\t' -v deep="$deep" '
    $1 == "touched" { touched[$2] = 1 }
    $1 == "differs" { differs[$7] = 1 }
    $1 == "sum" && !($3 in differs) && (deep || $3 in touched) { print $2 "  " $3 }' |
    (cd "$d" && sha256sum --quiet -c - 2>/dev/null) | sed -n 's/^\(.*\): FAILED$/changed\t\1/p'
fi
printf 'unfinished\t%s\n' "$(du -scB1 -- "$@" 2>/dev/null | tail -n 1 | cut -f1)"
for g in "${d%/*}"/*/; do
  [ -d "$g" ] && printf 'generation\t%s\t%s\n' "$(basename -- "$g")" "$(du -sB1 -- "$g" | cut -f1)"
done
exit 0
