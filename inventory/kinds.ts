import { isIPv6 } from "node:net";
import { z } from "zod";
import { canonicalAddress } from "./address.ts";

// Kinds of values that several schemas share. A stack file and the resource that a value ends up in judge it
// by the same words, so what passes here is not refused on the way to a host.

/** TCP or UDP port. */
export const port = z.int().min(1).max(65535);

export const httpAddress = z.url({ protocol: /^https?$/, error: "must be an http or https address" });

export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 of 64 lower case hex digits");

/** Name of a host in the inventory. */
export const hostName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "a host name is lower case letters, digits and inner hyphens");

/** A DNS name or an IP address alone. A leading hyphen would be an option to the ssh command. */
export const isPlainAddress = (text: string): boolean =>
  isIPv6(text) || /^[^\s:@/[\]-][^\s:@/[\]]*$/.test(text);

/** Package of the distribution. */
export const packageName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9+.-]+$/,
    "must be a package name as apt writes it, without version and architecture",
  );

/**
 * Version of a package. One pattern and no union: a union's error would say neither what is wrong nor where.
 */
export const packageVersion = z
  .string()
  .regex(
    /^(any|[0-9][A-Za-z0-9.+~:-]*)$/,
    "must be `any` or a whole version as `apt-cache madison` lists it, such as 7.88.1-10+deb12u5",
  );

/**
 * A file below a folder. Each part of the path is visible: neither `..` nor a name that begins with a dot.
 */
export const relativeFile = z
  .string()
  .regex(
    /^[\w+@-][\w.+@-]*(\/[\w+@-][\w.+@-]*)*$/,
    "must be a file name of ASCII letters, digits and _ . + @ - that does not begin with a dot; folders may stand before it, each with its /",
  );

function sourceProblem(address: string): string | undefined {
  const right = canonicalAddress(address);
  if (right === undefined) return "is no address or network; names are not resolved here";
  if (right.endsWith("/0")) return 'is everybody; write from: "any"';
  return right === address ? undefined : `is not as the firewall writes it: ${right}`;
}

/**
 * Who may connect to a port: `any`, or addresses and networks as a firewall prints them; none: the machine
 * itself.
 */
export const sources = z.union([z.literal("any"), z.array(z.string())]).superRefine((from, context) => {
  if (from === "any") return;
  for (const [i, address] of from.entries()) {
    const message = sourceProblem(address);
    if (message) context.addIssue({ code: "custom", path: [i], message });
  }
});

/** What stands beside a rule of the firewall. */
export const ruleComment = z
  .string()
  .regex(/^[\w .,:/()+-]{0,60}$/, "must be at most 60 letters, digits, blanks and . , : / ( ) + -");
