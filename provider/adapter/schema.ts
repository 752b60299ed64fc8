import { z } from "zod";
import { definitions } from "#provider/resources/index.ts";

const findings =
  "What a refresh found wrong on the host and is no input: path → sentence. An `up` repairs it; without any it is not there.";

/** The provider's Pulumi schema, made from the definitions: names and descriptions of every input. */
export function schema(version: string): unknown {
  const any = { $ref: "pulumi.json#/Any" };
  const resources = [...definitions.values()].map((definition) => {
    const { properties = {}, required = [] } = z.toJSONSchema(definition.inputs, { io: "input" }) as {
      properties?: Record<string, { description?: string }>;
      required?: string[];
    };
    const described = Object.entries(properties).map(([name, { description }]) => [
      name,
      { ...any, description },
    ]);
    const inputProperties = {
      host: { type: "string", description: "Name of the host in `gpuhost:hosts`." },
      witness: { ...any, description: "Host and command that are asked when this fails; never compared." },
      ...Object.fromEntries(described),
    };
    return [
      `gpuhost:index:${definition.type}`,
      {
        inputProperties,
        requiredInputs: ["host", ...required],
        properties: { applied: any, status: any, findings: { ...any, description: findings } },
      },
    ];
  });
  return { name: "gpuhost", version, resources: Object.fromEntries(resources) };
}
