import { createHash } from "node:crypto";

const canonicalText = (value: unknown): string =>
  JSON.stringify(value, (_key, inner) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );

/** Twelve hex digits of the hash of a value; the order of its keys does not matter. */
export const hashOf = (value: unknown): string =>
  createHash("sha256").update(canonicalText(value)).digest("hex").slice(0, 12);
