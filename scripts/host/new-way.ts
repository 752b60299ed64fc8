import { configuredUser, type FirstSight } from "#checks/first-contact.ts";
import type { HostEntry, Inventory } from "#inventory/inventory.ts";
import { jumpProblem, jumpsOf, parseLogin } from "#inventory/jumps.ts";
import { hostName } from "#inventory/kinds.ts";
import { inventoryOf, readConfiguration } from "#scripts/stack/stack.ts";
import { UsageError } from "#scripts/terminal/arguments.ts";
import { ensurePulumi } from "#toolchain/install.ts";
import { type LoginAddress, parseLoginAddress } from "./login-address.ts";

/** The way to a machine that has no entry yet: from the operator's words and their ssh config. */

/** As whom and where to log in: the user may be left to the operator's ssh config, if that names one. */
export async function completeLogin(target: string): Promise<LoginAddress & { readonly user: string }> {
  const login = parseLoginAddress(target);
  const user = login.user ?? (await configuredUser(login.address));
  if (user !== undefined) return { ...login, user };
  throw new UsageError(
    `${target}: the login user is missing, and your ssh config names none for it; it is written user@address or user@address:port`,
  );
}

/** What `--jump` says, as an entry has it: one machine, or several with commas between, first to last. */
export function jumpOf(option: string | undefined): HostEntry["jump"] {
  if (option === undefined) return undefined;
  const hops = option.split(",");
  const wrong = hops.find((hop) => parseLogin(hop) === undefined && !hostName.safeParse(hop).success);
  if (wrong !== undefined)
    throw new UsageError(
      `--jump ${option}: ${wrong === "" ? "there is an empty name" : wrong} is neither a host of the inventory nor user@address or user@address:port`,
    );
  return hops.length === 1 ? hops[0] : hops;
}

/** The inventory with its secrets, where the way leads through one of its machines; else an empty one. */
export async function machinesBefore(
  who: string,
  jump: HostEntry["jump"],
  stack: string,
): Promise<Inventory> {
  const named = (jumpsOf({ jump }) ?? []).some((hop) => parseLogin(hop) === undefined);
  if (!named) return { hosts: {}, credentials: {} };
  await ensurePulumi();
  const inventory = inventoryOf(await readConfiguration(stack));
  const wrong = jumpProblem(who, { ...inventory.hosts, [who]: { jump } });
  if (wrong !== undefined) throw new UsageError(`--jump: ${wrong}`);
  return inventory;
}

/** What the operator's ssh config said of the way, and the entry does not say. */
export function bySshConfig(
  { address, jump }: HostEntry,
  sight: FirstSight,
): { readonly renamed: boolean; readonly sshConfig: string | undefined } {
  const renamed = sight.address.toLowerCase() !== address.toLowerCase();
  const words = [
    ...(renamed ? [`HostName ${sight.address}`] : []),
    ...(jump === undefined && sight.through !== undefined ? [`the way through ${sight.through}`] : []),
  ];
  return { renamed, sshConfig: words.length === 0 ? undefined : `${words.join(", ")} for ${address}` };
}
