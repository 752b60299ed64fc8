import { ownersFolder } from "#facts/owners.ts";
import { accountsNotes, packageNotes, removeAccounts } from "#provider/contract/linux-steps.ts";
import { sh } from "#transport/command.ts";
import type { Ground } from "./ground.ts";
import { causeOf } from "./linux-causes.ts";
import { longUnitWork } from "./linux-long.ts";
import { type OwnerRecord, recordFile } from "./owner-record.ts";

const recordLine = (record: OwnerRecord) =>
  `${recordFile(record.item)} ${record.owners.length > 0 ? JSON.stringify(record) : "-"}\n`;

/**
 * What is left when nobody owns anything on the machine any more: accounts that services of others still had,
 * notes, folders that lost their content, and what lies directly in /run under our name. The lock stays until
 * a boot, since somebody may wait for it.
 */
const sweep = sh`${removeAccounts(accountsNotes)}
rm -rf -- ${accountsNotes} ${packageNotes} /run/gpu-hosts-*
find /var/lib/gpu-hosts /run/gpu-hosts -xdev -type d -empty -delete 2>/dev/null; exit 0`;

/** A Linux machine with systemd, or a Linux distribution on Windows. */
export const linux: Ground = {
  rebootSeconds: 600,
  causeOf,
  long: longUnitWork,

  deletion: (path) => sh`rm -f -- ${path} 2>/dev/null || rmdir --ignore-fail-on-non-empty -- ${path}`,

  readOwners: (items) => ({
    name: "owners record",
    command: sh`cd ${ownersFolder} 2>/dev/null || exit 0; cat -- ${items.map(recordFile)} 2>/dev/null; exit 0`,
    parse: ({ stdout }) =>
      new Map(
        stdout
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line) as OwnerRecord)
          .map((record) => [record.item, record]),
      ),
  }),

  // One `<file> <json>` a line on stdin.
  writeOwners: (records) => ({
    command: sh`umask 077 && mkdir -p ${ownersFolder} && cd ${ownersFolder} || exit 1
while IFS= read -r line; do
  file=\${line%% *} json=\${line#* }
  if [ "$json" = - ]; then rm -f -- "$file"; continue; fi
  printf '%s\n' "$json" > ".$file" && mv -f -- ".$file" "$file" || exit 1
done
for file in *.json; do [ ! -e "$file" ] || exit 0; done
cd /
${sweep}`,
    stdin: records.map(recordLine).join(""),
  }),
};
