import type { Machine } from "#transport/host.ts";
import type { Acting } from "../converge.ts";

/** How a test acts on a machine; `told` collects the lines of progress. */
export const actingOn = (
  machine: Machine,
  more: Partial<Acting> = {},
): Acting & { readonly told: readonly string[] } => {
  const told: string[] = [];
  return {
    machine,
    told,
    holder: "the test",
    report: async (line) => void told.push(line),
    signal: new AbortController().signal,
    mask: (text) => text.replaceAll("hunter2", "[secret]"),
    ...more,
  };
};
