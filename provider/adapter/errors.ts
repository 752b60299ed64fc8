import { HostError } from "#transport/errors.ts";
import type { Machine } from "#transport/host.ts";
import type { ResourceName } from "./state.ts";

/** Text of whatever was thrown. */
export const errorMessage = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** An error of a resource: host first, then resource, then what was tried and what came back. */
export function resourceErrorText(
  host: string,
  { target }: Pick<Machine, "target">,
  { definition, name }: ResourceName,
  error: unknown,
  mask: (text: string) => string,
): string {
  // A HostError names the host by itself.
  const what =
    error instanceof HostError
      ? [error.what, ...(error.hint ? [error.hint.replaceAll(/^/gm, "  ")] : [])].join("\n")
      : errorMessage(error);
  return `${host} (${target}), ${definition.type} ${name}: ${mask(what)}`;
}
