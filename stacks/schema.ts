import { z } from "zod";
import type { Engines } from "#components/engines.ts";
import type { MirrorSpec, Service } from "#components/serving/engine.ts";
import { inheritedText, isInherited } from "#inventory/inherited.ts";
import { credentials, hostEntry } from "#inventory/inventory.ts";
import {
  hostName,
  httpAddress,
  oneLine,
  orEmpty,
  packageBeginning,
  packageName,
  port,
  ruleComment,
  sources,
} from "#inventory/kinds.ts";

/** Name of a service: part of unit names and paths on the machines, and of the stack's outputs. */
export const serviceName = z
  .string()
  .regex(
    /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/,
    "a service's name is up to 40 lower case letters, digits and inner hyphens",
  )
  .refine((name) => !isInherited(name), inheritedText);

/** `gpu-hosts:services.<name>`: what is served, by one of these engines. */
export function serviceSchema(engines: Engines): z.ZodType<Service> {
  const [first, ...others] = Object.values(engines).map(({ schema }) => schema);
  if (first === undefined) throw new Error("a stack needs an engine");
  // Each schema has the keys of `Service`, as `serviceShape` has them; of schemas in a list TypeScript does
  // not know it.
  return z.discriminatedUnion("engine", [first, ...others]) as unknown as z.ZodType<Service>;
}

/** The model hub is every engine's. */
const hub: MirrorSpec = {
  address: "https://huggingface.co",
  description: "The model hub, or a mirror that answers its paths.",
};

const nvidia: MirrorSpec = {
  address: "https://developer.download.nvidia.com/compute/cuda/repos",
  description: "NVIDIA's package repositories, or a mirror of their paths.",
};

/** `gpu-hosts:mirrors`: the model hub, NVIDIA's repositories, and what the engines have of their own. */
export function mirrorsSchema(engines: Engines) {
  const specs = Object.values(engines).flatMap(({ mirrors }) => Object.entries(mirrors));
  const shape = Object.fromEntries(
    [["hub", hub] as const, ["nvidia", nvidia] as const, ...specs].map(([key, { address, description }]) => [
      key,
      httpAddress.default(address).describe(description),
    ]),
  );
  return z
    .strictObject(shape)
    .describe("Where vendors' files come from, for machines behind a proxy or without internet.");
}

/** What a shell is to run, lines and all. */
const shellText = z.string().regex(/^[^\0\p{Cs}]*$/u, "must be a text without NUL");

const extraCommand = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,99}$/, "must be lower case letters, digits and hyphens")
    .describe("Name of the command in Pulumi's output."),
  create: shellText.min(1).describe("Shell text that runs once, as the login user of the machine."),
  update: shellText.optional().describe("Runs instead of `create` when the texts or triggers change."),
  delete: shellText
    .optional()
    .describe(
      "Runs when the command is taken out, or the machine retires. Of a machine that is gone it is forgotten, if it stands here until the entry goes.",
    ),
  triggers: z.array(oneLine).default([]).describe("Values whose change runs the command again."),
});

const opening = z.strictObject({
  port: port.describe("Port that is guarded."),
  protocol: z.enum(["tcp", "udp"]).default("tcp").describe("`tcp` or `udp`."),
  from: sources
    .default("any")
    .describe("Addresses and networks that may connect, or `any`; an empty list: only the machine itself."),
  why: ruleComment.default("").describe("What listens there, shown beside the rule."),
});

/** Packages that unattended upgrades leave alone whatever serves. */
const drivers = ["nvidia-", "libnvidia-", "cuda-", "libcuda"];

/** `gpu-hosts:base`. */
export const baseSchema = (engines: Engines) =>
  z
    .strictObject({
      packages: orEmpty(
        z.array(packageName).default([]).describe("Packages on every machine beside those gpu-hosts needs."),
      ),
      heldPackages: z
        .array(packageBeginning)
        .default([...drivers, ...Object.values(engines).flatMap(({ heldPackages }) => heldPackages)])
        .describe(
          "Beginnings of package names that unattended-upgrades leaves alone, as it would restart what serves.",
        ),
      nvidiaKey: z
        .string()
        .min(1)
        .optional()
        .describe(
          "Public key that signs NVIDIA's repositories, armored or the base64 of a binary one; needed where a host has `nvidia.driver: managed`.",
        ),
      openings: orEmpty(
        z
          .record(hostName, orEmpty(z.array(opening).default([])))
          .default({})
          .describe(
            "Ports by machine that its firewall guards beside those of this stack's services: those of a second stack on it, say.",
          ),
      ),
      extraCommands: orEmpty(
        z
          .record(hostName, orEmpty(z.array(extraCommand).default([])))
          .default({})
          .describe(
            "Commands for what gpu-hosts has no resource, by machine. Their effect is not read back, so drift there is not seen.",
          ),
      ),
    })
    .describe("What every machine gets that has `base: true`.");

/** `gpu-hosts:base`, parsed. */
export type Base = z.output<ReturnType<typeof baseSchema>>;

export const refreshBeforeUpdate = z
  .boolean()
  .default(false)
  .describe(
    "Look at the hosts before every preview, up and destroy, so that a plain `up` repairs what was changed by hand; each then needs all hosts reachable.",
  );

/**
 * The whole configuration of a stack: every key with its meaning and default. What operators read, in one
 * value.
 */
export const configurationSchema = (engines: Engines) =>
  z.strictObject({
    hosts: z.record(hostName, hostEntry),
    credentials: z.record(hostName, credentials).default({}),
    refreshBeforeUpdate,
    services: z.record(serviceName, serviceSchema(engines)).default({}),
    mirrors: mirrorsSchema(engines).prefault({}),
    base: baseSchema(engines).prefault({}),
  });

/** The configuration of a stack, as the program works with it. */
export type Configuration = Readonly<z.output<ReturnType<typeof configurationSchema>>>;

/** The configuration as it stands in the stack file, secrets decrypted; a key may be absent. */
export type RawConfiguration = { readonly [key in keyof Configuration]?: unknown };

/**
 * Keys of the stack file, and the namespace in which each stands: the provider reads the inventory as well.
 */
export const namespaces: Readonly<Record<keyof Configuration, string>> = {
  hosts: "gpuhost",
  credentials: "gpuhost",
  refreshBeforeUpdate: "gpuhost",
  services: "gpu-hosts",
  mirrors: "gpu-hosts",
  base: "gpu-hosts",
};
