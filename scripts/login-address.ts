import { isIPv6 } from "node:net";
import { UsageError } from "./arguments.ts";

/** As whom and where to log in. */
export interface LoginAddress {
  readonly user: string;
  readonly address: string;
  readonly port: number;
}

/** Reads `ops@10.0.0.11`, `root@rack1.lan:2222`, `root@[fd00::1]:2222` or `root@fd00::1`. */
export function parseLoginAddress(text: string): LoginAddress {
  const at = text.lastIndexOf("@");
  const user = text.slice(0, Math.max(at, 0));
  const place = text.slice(at + 1);
  const wrong = (why: string) =>
    new UsageError(`${text}: ${why}; it is written user@address or user@address:port`);
  if (user === "") throw wrong("the login user is missing");
  if (!/^[\w.][\w.@\\-]*\$?$/.test(user)) throw wrong("that is no name of a user");
  const [, bracketed, named, digits] = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d+))?$/.exec(place) ?? [];
  const address = bracketed ?? named ?? place;
  if (bracketed !== undefined || (named === undefined && place.includes(":"))) {
    if (!isIPv6(address.replace(/%.*$/, ""))) throw wrong(`${address} is no IPv6 address`);
  } else if (address === "") throw wrong("the address is missing");
  // Nothing that ssh could take for an option.
  else if (!/^\w[\w.-]*$/.test(address)) throw wrong(`${address} is no name of a machine`);
  const port = digits === undefined ? 22 : Number(digits);
  if (port < 1 || port > 65535) throw wrong(`${digits} is no port`);
  return { user, address, port };
}

/** Whether two are the same machine as far as the words tell. */
export function sameAddress(a: Omit<LoginAddress, "user">, b: Omit<LoginAddress, "user">): boolean {
  return a.port === b.port && canonical(a.address) === canonical(b.address);
}

/** IPv6 addresses have many spellings. */
const canonical = (address: string) =>
  isIPv6(address) ? new URL(`http://[${address}]`).hostname : address.toLowerCase().replace(/\.$/, "");
