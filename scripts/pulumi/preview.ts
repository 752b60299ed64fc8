import { z } from "zod";
import { PulumiError, projectOf, tryPulumi } from "./pulumi.ts";

const state = z.looseObject({
  parent: z.string().optional(),
  inputs: z.record(z.string(), z.unknown()).optional(),
});
const printed = z.looseObject({
  steps: z
    .array(
      z.looseObject({
        op: z.string(),
        urn: z.string(),
        oldState: state.optional(),
        newState: state.optional(),
      }),
    )
    .nullish(),
  diagnostics: z
    .array(z.looseObject({ urn: z.string().optional(), message: z.string(), severity: z.string() }))
    .nullish(),
});

/** One step of the engine. */
export interface EngineStep {
  /** `same`, `create`, `update`, `delete`, `replace` and more. */
  readonly op: string;
  readonly urn: string;
  readonly parent: string | undefined;
  /** The `host` input of a resource of ours. */
  readonly host: string | undefined;
}

/** What `pulumi preview` says, read. */
export interface Preview {
  readonly steps: readonly EngineStep[];
  /** Warnings, such as a host that could not be compared. */
  readonly warnings: readonly string[];
}

interface PreviewOptions {
  /** Look at the hosts first, so that what was changed by hand is part of it. @default false */
  readonly refresh?: boolean | undefined;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs `pulumi preview` and reads its steps; rejects with the program's and the provider's errors. */
export async function preview(stack: string, { refresh, env }: PreviewOptions = {}): Promise<Preview> {
  const project = projectOf(stack);
  const args = ["preview", "--json", "--show-sames", "--stack", stack, ...(refresh ? ["--refresh"] : [])];
  const { exitCode, stdout, stderr } = await tryPulumi({ ...project, env: { ...project.env, ...env } }, args);
  const result = parsePreview(stdout);
  if (exitCode !== 0) throw new PulumiError(args, exitCode, [...(result?.errors ?? []), stderr].join("\n"));
  return result ?? { steps: [], warnings: [] };
}

/** Undefined if the CLI failed before there was anything to print. */
export function parsePreview(stdout: string): (Preview & { readonly errors: readonly string[] }) | undefined {
  if (!stdout.trimStart().startsWith("{")) return undefined;
  const { steps, diagnostics } = printed.parse(JSON.parse(stdout));
  const said = (severity: string) =>
    (diagnostics ?? [])
      .filter((one) => one.severity === severity)
      .map(
        ({ urn, message }) => `${urn ? `${urn.slice(urn.lastIndexOf("::") + 2)}: ` : ""}${message.trim()}`,
      );
  return {
    steps: (steps ?? []).map(({ op, urn, oldState, newState }) => {
      const now = newState ?? oldState;
      const host = now?.inputs?.host;
      return { op, urn, parent: now?.parent, host: typeof host === "string" ? host : undefined };
    }),
    warnings: said("warning"),
    errors: said("error"),
  };
}
