import { listing } from "#facts/downloads.ts";
import { type ShellCommand, sh } from "#transport/command.ts";
import { type BuildPlace, buildFolder, recordFile, treeFolder } from "./places.ts";

/** Hashes of the programs as they were built, in a form that `sha256sum --check` reads. */
const sums = "SHA256SUMS";

/**
 * A script that compiles the targets of a CMake project and puts their programs in place all at once, to be run as a long
 * step. A build that broke off goes on where it was; one whose programs are what was built is only looked at anew.
 */
export function buildScript(build: BuildPlace): ShellCommand {
  const { source, cmake = [], targets, path = [] } = build;
  const whole = [sums, "bin", ...targets.map((target) => `bin/${target}`)].sort().join(" ");
  return sh`set -u
umask 022
fail() { echo "$*" >&2; exit 1; }
source=${source} folder=${buildFolder(build)} record=${recordFile(build)} tree=${treeFolder(build)}
PATH=${path.map((folder) => `${folder}:`).join("")}$PATH; export PATH

finish() { # FOLDER: notes what is there, for the next look
  (cd "$1" && chown -hR 0:0 . && chmod 0755 . bin bin/* && chmod 0644 ${sums} && { echo built && ${listing}; } > "$record.new") || exit 1
}
mkdir -p -- "$(dirname -- "$record")" "$tree" || exit 1
if (cd "$folder" && [ "$(find . -mindepth 1 -printf '%P ' | tr ' ' '\\n' | sort | xargs)" = ${whole} ] && sha256sum --check --status ${sums}) 2> /dev/null; then
  finish "$folder"
  mv -f -- "$record.new" "$record" && rm -rf -- "$tree" || exit 1
  echo 'the programs are those that were built'; exit 0
fi

[ -f "$source/CMakeLists.txt" ] || fail "$source holds no CMakeLists.txt; is it the folder of the unpacked source?"
for other in "\${tree%/*}"/*/; do [ "$other" = "$tree/" ] || rm -rf -- "$other"; done
cmake -S "$source" -B "$tree" -G Ninja -DCMAKE_BUILD_TYPE=Release ${cmake} || fail 'cmake cannot configure this source with these flags; it says why above'
# The big files of such projects take 2 GB each to compile.
jobs=$(awk -v jobs="$(nproc)" '/^MemAvailable:/ { fit = int($2 / 2097152) } END { if (fit < jobs) jobs = fit; print jobs < 1 ? 1 : jobs }' /proc/meminfo)
cmake --build "$tree" --parallel "$jobs" --target ${targets} || exit 1

ready=$tree/.ready
rm -rf -- "$ready" && mkdir -p -- "$ready/bin" "$(dirname -- "$folder")" || exit 1
for target in ${targets}; do
  program=$(find "$tree" -path "$ready" -prune -o -type f -name "$target" -perm -u+x -print | head -n 1)
  [ -n "$program" ] || fail "the target $target was built, but no program of that name came of it"
  cp -- "$program" "$ready/bin/$target" || exit 1
done
(cd "$ready" && sha256sum -- bin/* > ${sums}) || exit 1
finish "$ready"
rm -rf -- "$folder" && mv -T -- "$ready" "$folder" && mv -f -- "$record.new" "$record" && rm -rf -- "$tree" || exit 1
echo 'built'`;
}
