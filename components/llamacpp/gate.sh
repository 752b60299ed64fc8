#!/bin/sh
# gate <group file> [seconds between looks] [looks before another build is refused]: returns once every worker runs this
# leader's generation and build and lends its memory. Waits without end for a worker that is away or of another generation:
# that passes. Another build at the same generation does not pass by waiting, so it is refused.
#
# It touches RPC ports only through --list-devices, which lets go at once: a worker serves one connection at a time, and one
# left open keeps everyone else out.
set -u
file=$1 pause=${2:-2} patience=${3:-10}
here=${0%/*}
rpc=$(sed -n 's/^ports \([0-9]*\) .*/\1/p' "$file")

# Workers that do not run what this leader runs: their lines, where only the build differs with that word.
others() {
  build=$("$here/build" "$file")
  "$here/members" "$file" "$GPU_HOSTS_GENERATION" | sed 1d | while read -r line; do
    case $line in
      *" new: build $build") ;;
      *' new: '*) echo "${line%% new: *} other-build: ${line#* new: }" ;;
      *) echo "$line" ;;
    esac
  done
}

silent() {
  while read -r kind index host address; do
    [ "$kind" = member ] && [ "$index" != 0 ] || continue
    devices=$(timeout 5 "${GPU_HOSTS_BUILD:+$GPU_HOSTS_BUILD/}llama-server" --rpc "$address:$rpc" --list-devices </dev/null 2>&1)
    case $devices in
      *"$address:$rpc ("*) ;;
      *) echo "$index $host $address silent: its RPC server at port $rpc shows no device: $(printf '%s' "$devices" | tail -n 1)" ;;
    esac
  done <"$file"
}

told='' wrong=0
while :; do
  late=$(others)
  [ -n "$late" ] || late=$(silent)
  [ -n "$late" ] || break
  if [ "$late" != "$told" ]; then
    printf 'waiting for worker %s\n' "$(printf '%s\n' "$late" | paste -s -d ';' - | sed 's/;\([0-9]\)/; \1/g')"
    told=$late
  fi
  case $late in
    *' other-build: '*) wrong=$((wrong + 1)) ;;
    *) wrong=0 ;;
  esac
  if [ "$wrong" -ge "$patience" ]; then
    echo "refused: all members of a group must run the same build; here it is $("$here/build" "$file")" >&2
    exit 1
  fi
  sleep "$pause"
done
echo "all workers are ready at generation $GPU_HOSTS_GENERATION"
