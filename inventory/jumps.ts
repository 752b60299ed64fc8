import { isIPv6 } from "node:net";
import { z } from "zod";
import { hostName, isLoginUser, isPlainAddress } from "./kinds.ts";

/** A jump host that is not in the inventory, as an operator writes it. */
const loginForm = /^(?<user>[^@]+)@(?:\[(?<six>[^\]]+)\]|(?<address>[^@:[\]]+))(?::(?<port>\d{1,5}))?$/;

/** The parts of `user@address:port`, an IPv6 address in brackets; `undefined` if it is not of that form. */
export function parseLogin(
  text: string,
): { readonly user: string; readonly address: string; readonly port?: number } | undefined {
  const { user = "", six, address = six ?? "", port } = loginForm.exec(text)?.groups ?? {};
  // ssh hands the jump host to a shell without quotes, which would take a backslash away.
  if (
    !isLoginUser(user) ||
    user.includes("\\") ||
    !isPlainAddress(address) ||
    (six !== undefined && !isIPv6(six))
  )
    return undefined;
  if (port === undefined) return { user, address };
  return Number(port) >= 1 && Number(port) <= 65535 ? { user, address, port: Number(port) } : undefined;
}

const jumpHost = z
  .string()
  .refine(
    (text) => hostName.safeParse(text).success || parseLogin(text) !== undefined,
    "must be the name of a host of gpuhost:hosts, or user@address or user@address:port",
  );

/** `jump` of a host: one machine to go through, or several in the order of the way. */
export const jump = z.union([jumpHost, z.array(jumpHost)]);

interface Jumping {
  readonly jump?: z.output<typeof jump> | undefined;
  readonly retire?: true | "gone" | undefined;
}
type Hosts = Readonly<Record<string, Jumping>>;

/**
 * The machines that a host is reached through, first to last; `undefined` where its entry leaves that to the
 * ssh config.
 */
export function jumpsOf({ jump }: Pick<Jumping, "jump">): readonly string[] | undefined {
  return typeof jump === "string" ? [jump] : jump;
}

/** What is wrong with how a host is reached through others; `undefined` if nothing. */
export function jumpProblem(name: string, hosts: Hosts): string | undefined {
  const [first, ...later] = jumpsOf(hosts[name] ?? {}) ?? [];
  const inner = later.find((hop) => parseLogin(hop) === undefined);
  if (inner !== undefined)
    return `${inner} can only stand first, as hosts.${inner}.jump says how it is reached; give it the jump ${first} there`;
  if (first === undefined || parseLogin(first) !== undefined) return undefined;
  if (!Object.hasOwn(hosts, first))
    return `${first} is no host of gpuhost:hosts; a machine that is not in it is written user@address`;
  if (hosts[first]?.retire === "gone") return `${first} is gone, as hosts.${first}.retire says`;
  return circleProblem(name, hosts);
}

/** Follows the first jump of each host, as only that one may be a host of the inventory. */
function circleProblem(name: string, hosts: Hosts): string | undefined {
  const way = [name];
  for (let at = name; ; ) {
    const [next] = jumpsOf(hosts[at] ?? {}) ?? [];
    if (next === name) return `goes in a circle: ${[...way, next].join(" → ")}`;
    if (next === undefined || way.includes(next)) return undefined;
    way.push(next);
    at = next;
  }
}
