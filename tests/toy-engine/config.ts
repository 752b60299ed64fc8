import { z } from "zod";
import { apiExposures } from "#components/serving/api.ts";
import type { Engine } from "#components/serving/engine.ts";
import { modelSchema, serviceShape } from "#components/serving/service-schema.ts";
import { isPinned, pinCommand, serviceParts } from "#components/serving/vendor.ts";
import { port } from "#inventory/kinds.ts";

/** A service of the toy engine: one machine, a version, and a rule that only the whole can be judged by. */
const schema = z
  .strictObject({
    engine: z.literal("toy").describe("An engine that only tests have."),
    host: z.string().min(1).describe("Machine that answers."),
    model: modelSchema("Any files; the first is served."),
    ...serviceShape,
    statusPort: port.default(9400).describe("Port of its status, which only rack2 may read."),
    version: z.string().default("1.0").describe("Version of the toy."),
    wheel: z.string().default("").describe("SHA-256 of its program."),
    mode: z.enum(["fast", "exact"]).default("fast").describe("How it computes."),
    batch: z.int().optional().describe("Only where it is fast."),
  })
  .superRefine(({ mode, batch }, context) => {
    if (mode === "exact" && batch !== undefined)
      context.addIssue({ code: "custom", path: ["batch"], message: "is only for `mode: fast`" });
  });

const part = z.looseObject({ version: z.string(), wheel: z.string().optional() });

export const toy = {
  schema,
  placement: (service) => ({
    platforms: ["linux"],
    seats:
      service.host === undefined ? [] : [{ host: service.host, path: ["host"], role: "the only machine" }],
    exposures: [
      ...apiExposures(service, service.host),
      ...(service.host === undefined || service.statusPort === undefined
        ? []
        : [
            {
              host: service.host,
              port: service.statusPort,
              path: ["statusPort"],
              what: "the status",
              from: ["rack2"],
            },
          ]),
    ],
    packages:
      service.host === undefined
        ? []
        : [{ host: service.host, name: "toy-runtime", version: "2.0", path: ["version"] }],
  }),
  problems: ({ version, wheel }, { stack }) =>
    isPinned(wheel) ? [] : [{ path: ["wheel"], text: `is no SHA-256; ${pinCommand("toy", version, stack)}` }],
  mirrors: { toys: { address: "https://toys.example", description: "Where toys are, or a mirror." } },
  heldPackages: ["toy-"],
  unitPrefix: "toy-",
  vendors: {
    toy: {
      mirror: "toys",
      version: /^\d+\.\d+$/,
      example: "1.0",
      hint: "serve something with it",
      parts: (configuration, version) =>
        serviceParts("toy", configuration, (service) => ({ ...service, version })),
      schema: part,
      at: ["version"],
      need: async (_service, { mirror, version }) => {
        const file = { name: `toy ${version}`, url: `${mirror}/toy-${version}.whl` };
        return { files: [file], pins: (sha256) => [{ path: ["wheel"], value: sha256(file) }] };
      },
    },
  },
} satisfies Engine<typeof schema>;
