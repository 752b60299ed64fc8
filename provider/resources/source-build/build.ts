import { type Command, sh } from "#transport/command.ts";
import { type BuildPlace, buildFolder, stampsFolder, treeFolder } from "./places.ts";

/**
 * A script that compiles the targets of a CMake project and puts their programs in place all at once, to be run as a long
 * step. A build that broke off goes on where it was. Of older builds the newest stays, to go back to, and any that still runs.
 */
export function buildScript(build: BuildPlace): Command {
  const { source, cmake = [], targets, path = [] } = build;
  return sh`set -u
umask 022
fail() { echo "$*" >&2; exit 1; }
source=${source} folder=${buildFolder(build)} stamps=${stampsFolder(build)} tree=${treeFolder(build)}
PATH=${path.map((folder) => `${folder}:`).join("")}$PATH; export PATH

stamp() { # PROGRAM: in $folder, with its hash
  s=$(stat -c '%s %.9Y %i' -- "$folder/bin/$1") && h=$(sha256sum -- "$folder/bin/$1" | cut -d' ' -f1) &&
    printf '%s %s\\n' "$s" "$h" > "$stamps/bin/$1.new" && mv -f -- "$stamps/bin/$1.new" "$stamps/bin/$1"
}
asBuilt() {
  for target in ${targets}; do
    read -r _ _ _ hash < "$stamps/bin/$target" && echo "$hash  $folder/bin/$target" | sha256sum --check --status || return 1
  done
} 2>/dev/null
mkdir -p -- "$stamps/bin" "$tree" || exit 1
if asBuilt; then
  for target in ${targets}; do stamp "$target" || exit 1; done
  rm -rf -- "$tree"
  echo 'the programs are those that were built'; exit 0
fi

[ -f "$source/CMakeLists.txt" ] || fail "$source holds no CMakeLists.txt; is it the folder of the unpacked source?"
for other in "\${tree%/*}"/*/; do [ "$other" = "$tree/" ] || rm -rf -- "$other"; done
cmake -S "$source" -B "$tree" -G Ninja -DCMAKE_BUILD_TYPE=Release ${cmake} || fail 'cmake cannot configure this source with these flags; it says why above'
# The big files of such projects take 2 GB each to compile.
jobs=$(awk -v jobs="$(nproc)" '/^MemAvailable:/ { fit = int($2 / 2097152) } END { if (fit < jobs) jobs = fit; print jobs < 1 ? 1 : jobs }' /proc/meminfo)
cmake --build "$tree" --parallel "$jobs" --target ${targets} || exit 1

ready=$tree/.ready
rm -rf -- "$ready" && mkdir -p -- "$ready/bin" "\${folder%/*}" || exit 1
for target in ${targets}; do
  program=$(find "$tree" -type f -name "$target" -perm -u+x | head -n 1)
  [ -n "$program" ] || fail "the target $target was built, but no program of that name came of it"
  cp -- "$program" "$ready/bin/$target" && chmod 0755 -- "$ready/bin/$target" || exit 1
done
rm -rf -- "$folder" && mv -- "$ready" "$folder" || exit 1
for target in ${targets}; do stamp "$target" || exit 1; done
rm -rf -- "$tree"

ls -dt -- "\${folder%/*}"/*/ | grep -vxF "$folder/" | tail -n +2 | while IFS= read -r old; do
  readlink /proc/[0-9]*/exe 2>/dev/null | grep -qF "$old" && continue
  rm -rf -- "$old" "\${stamps%/*}/$(basename -- "$old")"
  echo "removed the older build $old"
done
echo 'done'`;
}
