import { isIPv6 } from "node:net";
import { z } from "zod";
import { machineFacts } from "./machine-facts.ts";

/** A name or an address alone. A leading hyphen would be an option to the ssh command. */
const isAddress = (text: string) => isIPv6(text) || /^[^\s:@/[\]-][^\s:@/[\]]*$/.test(text);

/** A jump host that is not in the inventory, as an operator writes it. */
const LOGIN =
  /^(?<user>[^\s@:/[\]-][^\s@:/[\]]*)@(?:\[(?<six>[^\]]+)\]|(?<address>[^\s@:/[\]]+))(?::(?<port>\d{1,5}))?$/;

/** The parts of `user@address:port`, an IPv6 address in brackets; `undefined` if it is not of that form. */
export function parseLogin(
  text: string,
): { readonly user: string; readonly address: string; readonly port?: number } | undefined {
  const { user = "", six, address = six ?? "", port } = LOGIN.exec(text)?.groups ?? {};
  if (user === "" || !isAddress(address) || (six !== undefined && !isIPv6(six))) return undefined;
  if (port === undefined) return { user, address };
  return Number(port) >= 1 && Number(port) <= 65535 ? { user, address, port: Number(port) } : undefined;
}

export const hostName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "a host name is lower case letters, digits and inner hyphens");

const hop = z
  .string()
  .refine(
    (text) => hostName.safeParse(text).success || parseLogin(text) !== undefined,
    "must be the name of a host of gpuhost:hosts, or user@address or user@address:port",
  );

/** One machine of the inventory (`gpuhost:hosts.<name>`): how it is reached. Holds no secret. */
export const hostEntry = z.strictObject({
  platform: z
    .enum(["linux"])
    .describe("What the machine runs. `linux`: Debian or Ubuntu with systemd, reached over SSH."),
  address: z
    .string()
    .refine(isAddress, "must be a name or an address alone; user and port have keys of their own")
    .describe("DNS name, IPv4 or IPv6 address that your machine reaches over SSH."),
  port: z
    .int()
    .min(1)
    .max(65535)
    .optional()
    .describe("TCP port of its SSH server. Default: your ssh config's, else 22."),
  user: z
    .string()
    .min(1)
    .optional()
    .describe("Login user: root, or one with sudo. Default: your ssh config's, else root."),
  hostKey: z
    .string()
    .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, "must be a fingerprint as `ssh-keygen -lf` prints it: SHA256:…")
    .optional()
    .describe(
      "Fingerprint of the SSH host key. Without it your known_hosts must have the key, or a @cert-authority that signed it.",
    ),
  identityFile: z
    .string()
    .optional()
    .describe(
      "Private key file on your machine, `~` allowed; a public key (.pub) names one that your ssh-agent holds. Default: your ssh config's, else the ssh-agent, then ~/.ssh/id_ed25519, id_ecdsa, id_rsa.",
    ),
  jump: z
    .union([hop, z.array(hop)])
    .optional()
    .describe(
      "The machine to go through: another host's name, or user@address:port; a list goes through all of them in that order. Default: your ssh config's; [] is none.",
    ),
  sshConfig: z
    .boolean()
    .default(true)
    .describe(
      "Take what this entry does not say from your ssh config, as `ssh -G ADDRESS` prints it; ADDRESS may be a Host of it. false: this entry alone.",
    ),
  groupAddress: z
    .string()
    .min(1)
    .optional()
    .describe("Address the other hosts of the stack use for it, when that differs from `address`."),
  base: z
    .boolean()
    .default(true)
    .describe(
      "Manage system files and firewall. Set false in a second stack on the same machine: they have one owner, whose base.openings then guards the ports of both.",
    ),
  takeOver: z
    .array(z.string().regex(/^[\w.-]+\/[\w.-]+$/, "must be project/stack, as the refusal names it"))
    .optional()
    .describe(
      "Stacks that are no more, such as gpu-hosts/old: what the machine has as theirs becomes this stack's, to be put back as before them.",
    ),
  retire: z
    .union([z.literal(true), z.literal("gone")])
    .optional()
    .describe(
      "true: the next `up` removes our parts from the machine. gone: they are forgotten without contact. Then delete the entry.",
    ),
  ...machineFacts.shape,
});
export type HostEntry = z.output<typeof hostEntry>;

/** SSH port of a machine as far as its entry tells; an ssh config may say another. */
export const sshPort = ({ port }: Pick<HostEntry, "port">): number => port ?? 22;

/** The machines that a host is reached through, first to last; `undefined` where its entry leaves that to the ssh config. */
export function jumpsOf({ jump }: Pick<HostEntry, "jump">): readonly string[] | undefined {
  return typeof jump === "string" ? [jump] : jump;
}

type Jumping = Readonly<Record<string, Pick<HostEntry, "jump" | "retire">>>;

/** What is wrong with how a host is reached through others; `undefined` if nothing. */
export function jumpProblem(name: string, hosts: Jumping): string | undefined {
  const [first, ...later] = jumpsOf(hosts[name] ?? {}) ?? [];
  const inner = later.find((hop) => parseLogin(hop) === undefined);
  if (inner !== undefined)
    return `${inner} can only stand first, as hosts.${inner}.jump says how it is reached; give it the jump ${first} there`;
  if (first === undefined || parseLogin(first) !== undefined) return undefined;
  if (!Object.hasOwn(hosts, first))
    return `${first} is no host of gpuhost:hosts; a machine that is not in it is written user@address`;
  if (hosts[first]?.retire === "gone") return `${first} is gone, as hosts.${first}.retire says`;
  return circle(name, hosts);
}

/** Follows the first jump of each host, as only that one may be a host of the inventory. */
function circle(name: string, hosts: Jumping): string | undefined {
  const way = [name];
  for (let at = name; ; ) {
    const [next] = jumpsOf(hosts[at] ?? {}) ?? [];
    if (next === name) return `goes in a circle: ${[...way, next].join(" → ")}`;
    if (next === undefined || way.includes(next)) return undefined;
    way.push(next);
    at = next;
  }
}

/** All machines of a stack by name. */
export const hosts = z.record(hostName, hostEntry).superRefine((entries, context) => {
  for (const name of Object.keys(entries)) {
    const message = jumpProblem(name, entries);
    if (message !== undefined) context.addIssue({ code: "custom", path: [name, "jump"], message });
  }
});

/** Secrets for reaching one machine (`gpuhost:credentials.<name>`). */
export const credentials = z.strictObject({
  privateKey: z.string().optional().describe("Text of the private key, in place of `identityFile`."),
  passphrase: z.string().optional().describe("Passphrase of the private key."),
  sudoPassword: z.string().optional().describe("Password for sudo, when it asks for one."),
});
export type Credentials = z.output<typeof credentials>;

export interface Inventory {
  readonly hosts: Readonly<Record<string, HostEntry>>;
  readonly credentials: Readonly<Record<string, Credentials>>;
}
