#!/bin/sh
# Installs packages. Which others will come along is noted first, one a line, each with the packages that recommend it and
# stand there already: those have lived without it, so it may go again (remove-unneeded.sh).
#
# Parameter: file of the notes. `install_packages` takes further options of apt-get; `recommended` tells who recommends whom.
set -u
main() {
  work=$(mktemp -d) || exit 1
  trap 'rm -rf "$work"' EXIT
  # A version in brackets would be the one that is there.
  install_packages -s 2>/dev/null | sed -n 's/^Inst \([^ ]*\) (.*/\1/p' | sort -u > "$work/new"
  if [ -s "$work/new" ]; then
    touch "$1" || exit 1
    recommended > "$work/recommended"
    {
      awk 'FNR == NR { new[$1]; next } !($1 in new)' "$work/new" "$1"
      awk 'FNR == NR { by[$1] = by[$1] " " $3; next } { print $1 by[$1] }' "$work/recommended" "$work/new"
    } > "$1.new" && mv -f -- "$1.new" "$1" || exit 1
  fi
  install_packages
}
main "$@"
