#!/bin/sh
# Compiles targets of a CMake project and puts their programs in place all at once. A build that broke off
# goes on where it was; one whose programs are what was built is only looked at anew.
# Parameters: source, folder of the programs, record, tree to build in, folders for PATH with a colon after
# each, targets in one word, then the arguments of cmake. `listing` prints all below the working directory,
# one line each.
set -u
umask 022
fail() { echo "$*" >&2; exit 1; }
source=$1 folder=$2 record=$3 tree=$4 PATH=$5$PATH targets=$6
shift 6
export PATH

finish() { # FOLDER: notes what is there, for the next look
  (cd "$1" && chown -hR 0:0 . && chmod 0755 . bin bin/* && chmod 0644 SHA256SUMS && { echo built && listing; } > "$record.new") || exit 1
}
expected() { echo SHA256SUMS; echo bin; for target in $targets; do echo "bin/$target"; done; }
mkdir -p -- "$(dirname -- "$record")" "$tree" || exit 1
if (cd "$folder" && [ "$(find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort)" = "$(expected | LC_ALL=C sort)" ] && sha256sum --check --status SHA256SUMS) 2> /dev/null; then
  finish "$folder"
  mv -f -- "$record.new" "$record" && rm -rf -- "$tree" || exit 1
  echo 'the programs are those that were built'; exit 0
fi

[ -f "$source/CMakeLists.txt" ] || fail "$source holds no CMakeLists.txt; is it the folder of the unpacked source?"
for other in "${tree%/*}"/*/; do [ "$other" = "$tree/" ] || rm -rf -- "$other"; done
cmake -S "$source" -B "$tree" -G Ninja -DCMAKE_BUILD_TYPE=Release "$@" || fail 'cmake cannot configure this source with these flags; it says why above'
# The big files of such projects take 2 GB each to compile.
jobs=$(awk -v jobs="$(nproc)" '/^MemAvailable:/ { fit = int($2 / 2097152) } END { if (fit < jobs) jobs = fit; print jobs < 1 ? 1 : jobs }' /proc/meminfo)
set --
for target in $targets; do set -- "$@" "$target"; done
cmake --build "$tree" --parallel "$jobs" --target "$@" || exit 1

ready=$tree/.ready
rm -rf -- "$ready" && mkdir -p -- "$ready/bin" "$(dirname -- "$folder")" || exit 1
for target in $targets; do
  program=$(find "$tree" -path "$ready" -prune -o -type f -name "$target" -perm -u+x -print | head -n 1)
  [ -n "$program" ] || fail "the target $target was built, but no program of that name came of it"
  cp -- "$program" "$ready/bin/$target" || exit 1
done
(cd "$ready" && sha256sum -- bin/* > SHA256SUMS) || exit 1
finish "$ready"
rm -rf -- "$folder" && mv -T -- "$ready" "$folder" && mv -f -- "$record.new" "$record" && rm -rf -- "$tree" || exit 1
echo 'built'
