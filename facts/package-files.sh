#!/bin/sh
# shellcheck disable=SC2016
# Which files of packages are no longer as the packages brought them. $1: 1 hashes all of them, 0 only those that were touched
# since, up to $2 bytes in all. $3: 1 also looks at the libraries that the packages depend on. Then the packages' names. Prints
# lines of fields with tabs between, those of a package behind its name:
#   package NAME | missing PATH | touched TYPE MODE OWNER TARGET PATH | hashed PATH | changed PATH
# Left out are configuration files, which may be edited, and documentation: minimal systems never unpack it. A handful of
# processes serves for any number of packages.
deep=$1 most=$2 libraries=$3
shift 3
[ $# -gt 0 ] || exit 0
info=/var/lib/dpkg/info
architecture=$(dpkg --print-architecture) || exit
cd / || exit

# The packages, and the installed ones named lib… that they depend on, at any depth.
with_libraries() {
  awk -v names="$*" -v architecture="$architecture" '
    /^Package: / { name = $2; installed = 0; native = 0 }
    /^Status: .* installed$/ { installed = 1 }
    /^Architecture: / { native = $2 == architecture || $2 == "all" }
    /^(Pre-)?Depends: / && installed && native {
      sub(/^[^ ]*: /, ""); gsub(/\([^)]*\)|:[a-z0-9]+/, ""); gsub(/[,|]/, " ")
      needs[name] = needs[name] " " $0
    }
    END {
      n = split(names, queue, " ")
      for (i = 1; i <= n; i++) seen[queue[i]] = 1
      for (i = 1; i <= n; i++) {
        print queue[i]
        m = split(needs[queue[i]], all, " ")
        for (j = 1; j <= m; j++) if (all[j] ~ /^lib/ && !seen[all[j]]++) queue[++n] = all[j]
      }
    }' /var/lib/dpkg/status
}
if [ "$libraries" = 1 ]; then names=$(with_libraries "$@"); else names=$(printf '%s\n' "$@"); fi

# NAME, BASE of the packages that are there.
bases=$(printf '%s\n' "$names" | while IFS= read -r name; do
  for base in "$info/$name" "$info/$name:$architecture"; do
    [ ! -e "$base.list" ] || { printf '%s\t%s\n' "$name" "$base"; break; }
  done
done)
[ -n "$bases" ] || exit 0
files_of() { printf '%s\n' "$bases" | cut -f2 | while IFS= read -r base; do [ ! -e "$base.$1" ] || printf '%s\n' "$base.$1"; done; }

# NAME, TIME, PATH. A package's list is written when all of it is unpacked; what was done to a file since shows in its ctime.
lists=$({
  printf '%s\n' "$bases" | sed 's/^/base\t/'
  files_of list | tr '\n' '\0' | xargs -0 -r sh -c 'find "$@" -printf "time\t%p\t%T@\n"' sh
  files_of conffiles | tr '\n' '\0' | xargs -0 -r sed 's/^/skip\t/'
  files_of list | tr '\n' '\0' | xargs -0 -r awk '{ print "path\t" FILENAME "\t" $0 }'
} | awk -F '\t' '
  $1 == "base" { name[$3 ".list"] = $2 }
  $1 == "time" { time[$2] = $3 }
  $1 == "skip" { skip[$2] = 1 }
  $1 == "path" && $3 !~ /^(\/\.|\/usr\/share\/(doc|man|info|locale|lintian)\/.*)$/ && !($3 in skip) { print name[$2] "\t" time[$2] "\t" $3 }')

# What stands there.
stands=$(printf '%s\n' "$lists" | cut -f3 | sort -u | tr '\n' '\0' |
  xargs -0 -r sh -c 'find "$@" -maxdepth 0 -printf "%C@\t%y\t%m\t%u:%g\t%s\t%l\t%p\n" 2>/dev/null' sh)
found=$({ printf '%s\n' "$stands"; echo; printf '%s\n' "$lists"; } | awk -F '\t' '
  $0 == "" { second = 1; next }
  !second { row[$7] = $0; next }
  !($3 in row) { print $1 "\tmissing\t" $3; next }
  { split(row[$3], is, "\t"); if (is[2] != "d" && is[1] + 0 > $2 + 0) print $1 "\ttouched\t" is[2] "\t" is[3] "\t" is[4] "\t" is[6] "\t" $3 "\t" is[5] }')

# NAME, SUM, PATH of what is to be hashed; a link or the like in the place of a file is another file without that.
sums=$({ printf '%s\n' "$found"; echo; printf '%s\n' "$bases"; echo
  files_of md5sums | tr '\n' '\0' | xargs -0 -r awk '{ print FILENAME "\t" $0 }'
} | awk -F '\t' -v deep="$deep" -v most="$most" '
  $0 == "" { part++; next }
  !part { if ($2 == "touched") { type[$7] = $3; size[$7] = $8 } next }
  part == 1 { name[$2 ".md5sums"] = $1; next }
  {
    sum = substr($2, 1, 32); path = "/" substr($2, 35)
    if (path in type && type[path] != "f") print name[$1] "\tchanged\t" path
    else if (deep == 1 || (path in type && (total += size[path]) <= most)) print name[$1] "\tsum\t" path "\t" sum
  }')
failed=$(printf '%s\n' "$sums" | awk -F '\t' '$2 == "sum" { print $4 "  " substr($3, 2) }' | md5sum --quiet -c - 2>/dev/null | sed -n 's|^\(.*\): FAILED$|/\1|p')

{
  printf '%s\n' "$bases" | cut -f1
  printf '%s\n' "$found"
  printf '%s\n' "$sums"
  printf '%s\n' "$failed" | sed 's/^/failed\t/'
} | awk -F '\t' '
  NF == 1 && $1 != "" { order[++n] = $1; next }
  $1 == "failed" { failed[$2] = 1; next }
  $2 == "missing" || $2 == "changed" { text[$1] = text[$1] $2 "\t" $3 "\n" }
  $2 == "touched" { touched[$7] = 1; text[$1] = text[$1] "touched\t" $3 "\t" $4 "\t" $5 "\t" $6 "\t" $7 "\n" }
  $2 == "sum" { if ($3 in touched) text[$1] = text[$1] "hashed\t" $3 "\n"; wanted[$1] = wanted[$1] $3 "\n" }
  END {
    for (i = 1; i <= n; i++) {
      printf "package\t%s\n%s", order[i], text[order[i]]
      m = split(wanted[order[i]], paths, "\n")
      for (j = 1; j < m; j++) if (paths[j] in failed) print "changed\t" paths[j]
    }
  }'
exit 0
