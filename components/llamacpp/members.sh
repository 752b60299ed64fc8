#!/bin/sh
# members <group file>: how each worker of the group stands to this machine's generation and build. One line a worker:
# <index> <host> ready|unreachable|down|other-generation|other-build <words for people>
set -u
file=$1
generation=${GPU_HOSTS_GENERATION:-$(sed -n 's/^generation //p' "$file")}
port=$(sed -n 's/^ports [0-9]* //p' "$file")
build=$("${0%/*}/build" "$file")

field() { printf '%s' "$answer" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

echo "group $(sed -n 's/^group //p' "$file"): generation $generation, build on this machine $build"
while read -r kind index host address; do
  [ "$kind" = member ] && [ "$index" != 0 ] || continue
  if ! answer=$(curl -s --noproxy '*' --connect-timeout 2 -m 4 "http://$address:$port/" </dev/null); then
    echo "$index $host unreachable: no answer at $address:$port"
    continue
  fi
  theirs=$(field generation)
  if [ -z "$theirs" ]; then
    echo "$index $host down: its worker does not run"
  elif [ "$theirs" != "$generation" ]; then
    echo "$index $host other-generation: runs generation $theirs, build $(field build)"
  elif [ "$(field build)" != "$build" ]; then
    echo "$index $host other-build: runs generation $theirs, build $(field build)"
  else
    echo "$index $host ready: runs generation $theirs, build $build"
  fi
done <"$file"
