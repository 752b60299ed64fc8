import { isIPv6 } from "node:net";
import type { HostEntry } from "#inventory/inventory.ts";
import { UsageError } from "#scripts/terminal/arguments.ts";

/** As whom and where to log in, as far as the operator said it. */
export interface LoginAddress {
  readonly user?: string;
  /** A name or an address; perhaps a Host of the operator's ssh config. */
  readonly address: string;
  readonly port?: number;
}

/** Reads `ops@10.0.0.11`, `root@rack1.lan:2222`, `root@[fd00::1]:2222`, `root@fd00::1`, or `rack1` alone. */
export function parseLoginAddress(text: string): LoginAddress {
  const at = text.lastIndexOf("@");
  const user = text.slice(0, Math.max(at, 0));
  const wrong = (why: string) =>
    new UsageError(`${text}: ${why}; it is written user@address or user@address:port`);
  if (at === 0) throw wrong("the login user is missing");
  if (at > 0 && !/^[\w.][\w.@\\-]*\$?$/.test(user)) throw wrong("that is no name of a user");
  return { ...(at > 0 && { user }), ...parsePlace(text.slice(at + 1), wrong) };
}

function parsePlace(place: string, wrong: (why: string) => Error): Omit<LoginAddress, "user"> {
  const [, bracketed, named, digits] = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d+))?$/.exec(place) ?? [];
  const address = bracketed ?? named ?? place;
  if (bracketed !== undefined || (named === undefined && place.includes(":"))) {
    if (!isIPv6(address.replace(/%.*$/, ""))) throw wrong(`${address} is no IPv6 address`);
  } else if (address === "") throw wrong("the address is missing");
  // Nothing that ssh could take for an option.
  else if (!/^\w[\w.-]*$/.test(address)) throw wrong(`${address} is no name of a machine`);
  if (digits === undefined) return { address };
  const port = Number(digits);
  if (port < 1 || port > 65535) throw wrong(`${digits} is no port`);
  return { address, port };
}

type Place = Pick<HostEntry, "address" | "port">;

/** Whether two are the same machine as far as the words tell. */
export function sameAddress(a: Place, b: Place): boolean {
  return (a.port ?? 22) === (b.port ?? 22) && canonical(a.address) === canonical(b.address);
}

/** IPv6 addresses have many spellings. */
const canonical = (address: string) =>
  isIPv6(address) ? new URL(`http://[${address}]`).hostname : address.toLowerCase().replace(/\.$/, "");
