import { z } from "zod";
import { machineFacts } from "./machine-facts.ts";

/** One machine of the inventory (`gpuhost:hosts.<name>`): how it is reached. Holds no secret. */
export const hostEntry = z.strictObject({
  platform: z
    .enum(["linux"])
    .describe("What the machine runs. `linux`: Debian or Ubuntu with systemd, reached over SSH."),
  address: z.string().min(1).describe("DNS name, IPv4 or IPv6 address that your machine reaches over SSH."),
  port: z.int().min(1).max(65535).default(22).describe("TCP port of its SSH server."),
  user: z.string().min(1).default("root").describe("Login user: root, or one with sudo."),
  hostKey: z
    .string()
    .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, "must be a fingerprint as `ssh-keygen -lf` prints it: SHA256:…")
    .optional()
    .describe("Fingerprint of the SSH host key. Without it the key must stand in your known_hosts."),
  identityFile: z
    .string()
    .optional()
    .describe(
      "Private key file on your machine, `~` allowed. Default: the ssh-agent, then ~/.ssh/id_ed25519, id_ecdsa, id_rsa.",
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

export const hostName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "a host name is lower case letters, digits and inner hyphens");

/** All machines of a stack by name. */
export const hosts = z.record(hostName, hostEntry);

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
