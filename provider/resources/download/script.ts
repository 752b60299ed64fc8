import { listing } from "#facts/downloads.ts";
import { type Fetch, fetchScript, lines } from "#provider/contract/fetch.ts";
import { type ShellCommand, sh } from "#transport/command.ts";
import { archiveFile, downloadFolder, fileName, recordFile, stagingFolder } from "./places.ts";

/** What is to be put in place, and how. */
export interface Artifact {
  readonly name: string;
  readonly directory: string;
  readonly url: string;
  readonly mirrors: readonly string[];
  readonly sha256: string;
  readonly unpack?: { readonly strip: number } | undefined;
  readonly trial?: readonly string[] | undefined;
  readonly owner: string;
  readonly mode: string;
}

// Unpacked into a folder of ours and looked at there before any of it is put in place. GNU tar as root would otherwise restore
// owners and setuid bits; by itself it only skips members with `..`, and we want none of such an archive.
const unpack = ({ strip }: { strip: number }, archive: string): ShellCommand => sh`echo "$label: unpacking"
tar --absolute-names --list --verbose --full-time --numeric-owner --quoting-style=escape --file=${archive} > ./members 2> ./error ||
  fail "$label is no archive that can be read here: $(head -n 1 ./error)"
bad=$(awk '{ name = $0; for (i = 0; i < 5; i++) sub(/^ *[^ ]+ +/, "", name); if ($1 ~ /^[lh]/) sub(/ (->|link to) .*/, "", name)
  if (name ~ /^\\// || name ~ /(^|\\/)\\.\\.(\\/|$)/ || name ~ /\\\\([abefnrtv]|0[0-3]|177)/ || $1 !~ /^[-dlh]/) print }' ./members | head -n 3)
[ -z "$bad" ] || fail "$label holds members that must not be unpacked (absolute, above the folder, devices, odd names); nothing was put in place:
$bad"
room "$staging" "$(awk '{ s += 4096 + $3 } END { printf "%.0f", s }' ./members)" "to unpack"
tar --extract --no-same-owner --no-same-permissions --strip-components=${strip} --file=${archive} --directory="$staging/tree" 2> ./error ||
  fail "$label cannot be unpacked: $(head -n 3 ./error)"
[ -n "$(ls -A "$staging/tree")" ] || fail "nothing of $label is left with strip ${strip}; it holds
$(head -n 3 ./members)"
find "$staging/tree" -type l -printf '%l\\n' | grep '^/' > ./outside
find "$staging/tree" -type l -print0 | xargs -0 -r realpath -m -- | awk -v top="$(realpath -- "$staging")/tree" '$0 != top && index($0, top "/") != 1' >> ./outside
[ ! -s ./outside ] || fail "$label holds links that lead out of it; nothing was put in place:
$(head -n 3 ./outside)"`;

// As nobody: this is the vendor's program, which the machine has not met before.
const tried = ([
  program = "",
  ...args
]: readonly string[]): ShellCommand => sh`echo "$label: trying" ${program} ${args}
(cd / && exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs timeout 60 "$staging/tree/"${program} ${args}) > ./trial 2>&1 ||
  fail "$label:" ${program} "does not run on this machine (exit code $?); nothing was put in place
$(tail -n 5 ./trial)"`;

/** Programs that tar calls, by the end of an archive's name, and the Debian packages that have them. */
const helpers: readonly (readonly [RegExp, string, string])[] = [
  [/\.(tar\.xz|txz)$/, "xz", "xz-utils"],
  [/\.(tar\.zst|tzst)$/, "zstd", "zstd"],
];

const helped = (file: string): ShellCommand =>
  lines(
    helpers
      .filter(([end]) => end.test(file))
      .map(
        ([, program, name]) =>
          sh`command -v ${program} > /dev/null || fail ${`unpacking ${file} needs ${program}, which this machine does not have: install the package ${name}`}`,
      ),
  );

/** How much of an archive's size its content may take; told before the fetch, and reckoned exactly once the archive is here. */
const unpackedFactor = 2;

/**
 * A script that leaves the artifact verified in its folder, to be run as a long step. The folder is made complete beside its
 * place and then moved there, with a record of what it holds.
 * @param record first line of the record, which says what was put there
 */
export function downloadScript(it: Artifact, record: string): ShellCommand {
  const file = fileName(it.url);
  const urls = [it.url, ...it.mirrors];
  const staging = stagingFolder(it);
  const folder = downloadFolder(it);
  const archive = archiveFile(it);
  const to = it.unpack ? archive : `${staging}/tree/${file}`;
  const fetch: Fetch = { label: file, to, partial: `${staging}/partial`, sha256: it.sha256, urls };
  const fetched = it.unpack ? unpack(it.unpack, archive) : sh`chmod ${it.mode} -- ${to} || exit 1`;
  // A file that is right and stands there with another mode, say, need not come again.
  const before = it.unpack
    ? helped(file)
    : sh`[ ! -f ${`${folder}/${file}`} ] || [ "$(sum ${`${folder}/${file}`})" != ${it.sha256} ] || ln -- ${`${folder}/${file}`} ${to} || exit 1`;
  return fetchScript({
    folder: staging,
    prepare: sh`staging=${staging} folder=${folder} record=${recordFile(it)}
mkdir -p -- "$staging" || exit 1
# What was begun for another content of this name is of no use any more.
for other in "$(dirname -- "$staging")"/*; do [ "$other" = "$staging" ] || rm -rf -- "$other"; done
rm -rf -- "$staging/tree" && mkdir -- "$staging/tree" || exit 1
# What was refused does not stay, with the links in it.
trap '[ $? -eq 0 ] || rm -rf -- "$staging/tree"' EXIT
${before}`,
    fetches: [fetch],
    ...(it.unpack ? { alsoNeeded: sh`\${total0:-0} * ${unpackedFactor}` } : {}),
    after: () => sh`${fetched}
chown -hR ${it.owner} -- "$staging/tree" && chmod 0755 -- "$staging/tree" || exit 1
${it.trial ? tried(it.trial) : sh`:`}
mkdir -p -- "$(dirname -- "$folder")" "$(dirname -- "$record")" || exit 1
{ printf '%s\\n' ${record} && cd "$staging/tree" && ${listing}; } > "$staging/record" || exit 1
cd / && rm -rf -- "$staging/old"
[ ! -e "$folder" ] || mv -T -- "$folder" "$staging/old" || exit 1
mv -T -- "$staging/tree" "$folder" && mv -fT -- "$staging/record" "$record" || exit 1
rm -rf -- "$staging"
rmdir --ignore-fail-on-non-empty -p -- "$(dirname -- "$staging")"
echo "$label: in place"`,
  });
}
