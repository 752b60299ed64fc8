import { createHash } from "node:crypto";
import { dirname } from "node:path/posix";
import { ownersFolder } from "#facts/owners.ts";
import { raw, type ShellCommand, script, sh } from "#transport/command.ts";
import { type RunStep, run } from "./step.ts";

// Steps that several resources of Linux hosts take.

/** Pattern for the units of all long steps of that name, whatever their inputs: the hash is 12 digits. */
export const longUnits = (name: string): string => `gpu-hosts-${name}-${"[0-9a-f]".repeat(12)}`;

/** Which packages came along with ours. It goes with the last owner of anything on the machine. */
export const packageNotes = `${ownersFolder}/packages`;

/** Where long steps work: a folder each, of which those that failed stay to be looked at. */
export const longFolder = "/var/lib/gpu-hosts/long";

/** Ends the work of long steps of that name, as of a download whose resource goes, and what is left of it. */
export const stopLong = (name: string): RunStep =>
  run(sh`systemctl stop ${`${longUnits(name)}.service`} && rm -rf -- ${longFolder}/${raw(longUnits(name))}`, {
    title: `stop ${name}, if it still runs`,
  });

const copyOf = (path: string) =>
  `${ownersFolder}/files/${createHash("sha256").update(path).digest("hex").slice(0, 32)}`;

/**
 * Keeps a file of somebody else's aside, with mode, owner and times, before it is replaced. The first copy
 * stays.
 */
export function keepAside(path: string): RunStep {
  const copy = copyOf(path);
  return run(
    sh`umask 077; [ -e ${copy} ] || [ ! -f ${path} ] || {
  mkdir -p ${dirname(copy)} && cp -a -- ${path} ${`${copy}.new`} && mv -- ${`${copy}.new`} ${copy}; }`,
    { title: `keep ${path} as it was` },
  );
}

/** Puts back what {@link keepAside} kept; without a copy it does nothing. */
export function putBack(path: string): RunStep {
  const copy = copyOf(path);
  return run(
    sh`[ ! -e ${copy} ] || { cp -a -- ${copy} ${`${path}.gpu-hosts-new`} && mv -T -- ${`${path}.gpu-hosts-new`} ${path} && rm -f -- ${copy}; }`,
    { title: `put ${path} back as it was` },
  );
}

const accountsEnding = ".accounts";

/** Which users, groups and memberships came with a file of sysusers.d. */
export const accountsNote = (path: string): string => `${copyOf(path)}${accountsEnding}`;

/** All such notes on the machine, as a pattern of the shell. */
export const accountsNotes: ShellCommand = raw(`${ownersFolder}/files/*${accountsEnding}`);

const removal = script(import.meta.url, "./remove-accounts.sh");

/**
 * Removes the accounts of some notes. What something on the machine belongs to stays, and its note with it.
 */
export const removeAccounts = (notes: string | ShellCommand): ShellCommand => sh`set -- ${notes}
${raw(removal.text)}`;
