#!/bin/sh
# worker <group file> <index> [argument of the RPC server]...: notes what it starts with, for the member endpoint, then
# becomes the RPC server. The unit gives GPU_HOSTS_GENERATION and RUNTIME_DIRECTORY.
set -eu
file=$1 index=$2
shift 2
group=$(sed -n 's/^group //p' "$file")
build=$("${0%/*}/build" "$file")
note=$RUNTIME_DIRECTORY/member.json
printf '{"group":"%s","generation":"%s","index":%s,"build":"%s"}\n' \
  "$group" "$GPU_HOSTS_GENERATION" "$index" "$build" >"$note.new"
chmod 0644 "$note.new"
mv "$note.new" "$note"
echo "worker $index of $group: generation $GPU_HOSTS_GENERATION, build $build"

# GPU_HOSTS_BUILD is the folder of a build of its own. Of the distribution's, Debian keeps the program out of PATH.
candidates() {
  if [ -n "${GPU_HOSTS_BUILD:-}" ]; then
    echo "$GPU_HOSTS_BUILD/$1"
  else
    command -v "$1" || :
    echo /usr/libexec/*/llama/bin/"$1"
  fi
}
# Renamed in June 2026.
for name in ggml-rpc-server rpc-server; do
  for path in $(candidates "$name"); do
    if [ -x "$path" ]; then exec "$path" "$@"; fi
  done
done
echo "neither ggml-rpc-server nor rpc-server is installed: the build brings none" >&2
exit 127
