import { z } from "zod";
import { jump, jumpProblem } from "./jumps.ts";
import { hostName, isLoginUser, isPlainAddress, localFile, port, secretLine } from "./kinds.ts";
import { machineFacts } from "./machine-facts.ts";
import { nvidiaWish } from "./nvidia-wish.ts";
import { parseValue, problemReport } from "./problems.ts";

/** A Linux machine. Holds no secret. */
const linuxEntry = z.strictObject({
  platform: z
    .literal("linux")
    .describe("What the machine runs. `linux`: Debian or Ubuntu with systemd, reached over SSH."),
  address: z
    .string()
    .refine(isPlainAddress, "must be a name or an address alone; user and port have keys of their own")
    .describe("DNS name, IPv4 or IPv6 address that your machine reaches over SSH."),
  port: port.optional().describe("TCP port of its SSH server. Default: your ssh config's, else 22."),
  user: z
    .string()
    .refine(isLoginUser, "must be a user's name: letters, digits and . _ - + @ \\, a $ at most at its end")
    .optional()
    .describe("Login user: root, or one with sudo. Default: your ssh config's, else root."),
  hostKey: z
    .string()
    .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, "must be a fingerprint as `ssh-keygen -lf` prints it: SHA256:…")
    .optional()
    .describe(
      "Fingerprint of the SSH host key. Without it your known_hosts must have the key, or a @cert-authority that signed it.",
    ),
  identityFile: localFile
    .optional()
    .describe(
      "Private key file on your machine, `~` allowed; a public key (.pub) names one that your ssh-agent holds. Default: your ssh config's, else the ssh-agent, then ~/.ssh/id_ed25519, id_ecdsa, id_rsa.",
    ),
  jump: jump
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
    .refine(isPlainAddress, "must be a name or an address alone")
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
  nvidia: nvidiaWish.optional(),
  ...machineFacts.shape,
});

/**
 * One machine of the inventory (`gpuhost:hosts.<name>`). With a second platform this becomes
 * `z.discriminatedUnion("platform", [linuxEntry, …])`, each platform with the keys by which its machines are
 * reached.
 */
export const hostEntry = linuxEntry;
export type HostEntry = z.output<typeof hostEntry>;

/** SSH port of a machine as far as its entry tells; an ssh config may say another. */
export const sshPort = ({ port }: Pick<HostEntry, "port">): number => port ?? 22;

/** All machines of a stack by name. */
export const hosts = z.record(hostName, hostEntry).superRefine((entries, context) => {
  for (const name of Object.keys(entries)) {
    const message = jumpProblem(name, entries);
    if (message !== undefined) context.addIssue({ code: "custom", path: [name, "jump"], message });
  }
});

/** Secrets for reaching one machine (`gpuhost:credentials.<name>`). */
export const credentials = z.strictObject({
  privateKey: z.string().min(1).optional().describe("Text of the private key, in place of `identityFile`."),
  passphrase: secretLine.optional().describe("Passphrase of the private key."),
  sudoPassword: secretLine.optional().describe("Password for sudo, when it asks for one."),
});
export type Credentials = z.output<typeof credentials>;

/** Machines and how each is reached, as all who connect to them know them. */
export interface Inventory {
  readonly hosts: Readonly<Record<string, HostEntry>>;
  readonly credentials: Readonly<Record<string, Credentials>>;
}

/** A map in which nothing is found but what it holds: an operator may ask for a host named `constructor`. */
const bare = <T>(map: Readonly<Record<string, T>>): Record<string, T> =>
  Object.assign(Object.create(null), map);

/**
 * The inventory out of a stack's configuration, each key as it stands there; `undefined` is none. Throws one
 * error with a line for each problem, in the words that every command and the provider use.
 */
export function readInventory(raw: { readonly hosts?: unknown; readonly credentials?: unknown }): Inventory {
  const machines = parseValue(hosts, raw.hosts ?? {}, ["hosts"]);
  const secrets = parseValue(z.record(hostName, credentials), raw.credentials ?? {}, ["credentials"]);
  const problems = [...machines.problems, ...secrets.problems];
  if (machines.value && secrets.value && problems.length === 0) {
    return { hosts: bare(machines.value), credentials: bare(secrets.value) };
  }
  throw new Error(problemReport("the inventory in the stack's configuration cannot be used", problems));
}
