#!/bin/sh
# Removes those of our packages that no other installed package depends on, and the automatic packages that
# are orphaned only by that. What may go is asked of apt's simulation with a copy of its marks, so that a run
# that is cut off leaves the marks as they were; packages that were orphans already are not ours and stay.
# Whatever cannot go without taking something else along stays, marked automatic.
#
# Ours may go although another package recommends or suggests them: it lived without them before. Orphans may
# not go while recommended: who recommends them may have come later.
#
# Parameters: our packages. `remove_packages` removes those that it is given, and no others.
set -u
# shellcheck disable=SC2046,SC2086 # lists of packages, one word each
main() {
  work=$(mktemp -d) || exit 1
  trap 'rm -rf "$work"' EXIT
  cd "$work" || exit 1

  simulate autoremove || exit 1
  removed > orphans-before
  cp /var/lib/apt/extended_states marks 2>/dev/null || : > marks
  apt-mark -o Dir::State::extended_states="$work/marks" auto "$@" >/dev/null || exit 1
  simulate -o Dir::State::extended_states="$work/marks" autoremove || exit 1
  removed > orphans-after
  { printf '%s\n' "$@"; comm -13 orphans-before orphans-after; } | sort -u > may-go

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
simulate() { apt-get -s -o APT::AutoRemove::SuggestsImportant=false -o APT::AutoRemove::RecommendsImportant=true "$@" > simulation; }
removed() { sed -n 's/^Remv \([^ ]*\).*/\1/p' simulation | sort -u; }
fits() {
  simulate -o APT::Get::AutomaticRemove=false remove "$@" && ! grep -q '^Inst ' simulation || return 1
  removed > would-go
  [ -z "$(comm -23 would-go may-go)" ]
}
main "$@"
