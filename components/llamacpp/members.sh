#!/bin/sh
# members <group file> <generation> [unit of the leader]: how each member of the group stands to a generation, as the leader,
# on which this runs, sees it. A title, then a line a member, of the leader itself only if its unit is named:
# <index> <host> <address> new|old (<generation>)|waiting|down|unreachable: <words for people>
set -u
file=$1 generation=$2 unit=${3:-}
port=$(sed -n 's/^ports [0-9]* //p' "$file")

standing() {
  if [ "$1" = "$generation" ]; then printf new; else printf 'old (%s)' "${1:-unknown}"; fi
}

field() { printf '%s' "$answer" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# worker <address>
worker() {
  if ! answer=$(curl -s --noproxy '*' --connect-timeout 2 -m 4 "http://$1:$port/"); then
    echo "unreachable: no answer at port $port"
  elif [ -z "$(field generation)" ]; then
    echo "down: its worker does not run"
  else
    echo "$(standing "$(field generation)"): build $(field build)"
  fi
}

get() { systemctl show --property="$1" --value -- "$unit"; }

# What it was started with, not what its unit says by now.
started() {
  for pid in $(get MainPID) $(get ControlPID); do
    { tr '\0' '\n' <"/proc/$pid/environ"; } 2>/dev/null | sed -n 's/^GPU_HOSTS_GENERATION=//p'
  done | head -n 1
}

leader() {
  state=$(get SubState)
  case $state in
    running) echo "$(standing "$(started)"): its server runs" ;;
    start-pre) echo "waiting: at its gate, for workers of generation $(started)" ;;
    *) echo "down: $unit is $(get ActiveState) ($state)" ;;
  esac
}

echo "group $(sed -n 's/^group //p' "$file"): generation $generation is wanted"
# All at once: sixteen that are switched off would take a minute in turn.
{
  while read -r kind index host address; do
    [ "$kind" = member ] || continue
    if [ "$index" != 0 ]; then
      echo "$index $host $address $(worker "$address")" &
    elif [ -n "$unit" ]; then
      echo "$index $host $address $(leader)" &
    fi
  done <"$file"
  wait
} | sort -n
