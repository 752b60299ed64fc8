#!/bin/sh
# Removes those of our packages that no other installed package depends on, and the automatic packages that
# are orphaned only by that. What may go is asked of apt's simulation with a copy of its marks, so that a run
# that is cut off leaves the marks as they were; packages that were orphans already are not ours and stay.
# Whatever cannot go without taking something else along stays, marked automatic.
#
# Ours may go although another package recommends or suggests them: it lived without them before. So may an orphan that
# came along with ours, if those that recommend it stood there before it (install-noting.sh). Any other orphan stays while
# it is recommended: who recommends it may have come later.
#
# Parameters: file of the notes, our packages. `remove_packages` removes those that it is given, and no others;
# `recommended` tells who recommends whom.
set -u
# shellcheck disable=SC2046,SC2086 # lists of packages, one word each
main() {
  notes=$1
  shift
  work=$(mktemp -d) || exit 1
  trap 'rm -rf "$work"' EXIT
  cd "$work" || exit 1

  simulate autoremove || exit 1
  removed > orphans-before
  simulate -o APT::AutoRemove::RecommendsImportant=false autoremove || exit 1
  removed > unloved-before
  cp /var/lib/apt/extended_states marks 2>/dev/null || : > marks
  apt-mark -o Dir::State::extended_states="$work/marks" auto "$@" >/dev/null || exit 1
  simulate -o Dir::State::extended_states="$work/marks" autoremove || exit 1
  removed > orphans-after
  simulate -o Dir::State::extended_states="$work/marks" -o APT::AutoRemove::RecommendsImportant=false autoremove || exit 1
  removed > unloved-after
  recommended > recommended
  { printf '%s\n' "$@"; comm -13 orphans-before orphans-after; comm -13 unloved-before unloved-after | lived_without "$@"; } | sort -u > may-go

  all=$(tr '\n' ' ' < may-go) go=$all
  if ! fits $go; then
    go=
    for name in $all; do
      if fits $go "$name"; then go="$go $name"; else echo "$name stays: without it would go" $(comm -23 would-go may-go); fi
    done
  fi
  [ -z "$go" ] || remove_packages $go || exit 1
  for name; do
    case " $go " in *" $name "*) ;; *) apt-mark auto "$name" || exit 1 ;; esac
  done
}
# Of the packages on stdin those that came along with ours and that nothing recommends but what goes with them or stood
# there before.
lived_without() {
  [ -e "$notes" ] || return 0
  printf '%s\n' "$@" | cat - unloved-after > going
  while read -r name; do
    noted=$(awk -v name="$name" '$1 == name { print $0 " " }' "$notes")
    [ -n "$noted" ] || continue
    for by in $(awk -v name="$name" '$1 == name { print $3 }' recommended); do
      case $noted in *" $by "*) continue ;; esac
      grep -qxF -- "$by" going || continue 2
    done
    echo "$name"
  done
}
simulate() { apt-get -s -o APT::AutoRemove::SuggestsImportant=false -o APT::AutoRemove::RecommendsImportant=true "$@" > simulation; }
removed() { sed -n 's/^Remv \([^ ]*\).*/\1/p' simulation | sort -u; }
fits() {
  simulate -o APT::Get::AutomaticRemove=false remove "$@" && ! grep -q '^Inst ' simulation || return 1
  removed > would-go
  [ -z "$(comm -23 would-go may-go)" ]
}
main "$@"
