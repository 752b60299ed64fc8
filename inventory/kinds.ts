import { isIPv6 } from "node:net";
import { z } from "zod";
import { canonicalAddress } from "./address.ts";
import { inheritedText, isInherited } from "./inherited.ts";

// Kinds of values that several schemas share. A stack file and the resource that a value ends up in judge it
// by the same words, so what passes here is not refused on the way to a host.

/** A map or list of which all entries may be commented out: YAML has it as null then, which is as if left out. */
export const orEmpty = <S extends z.ZodType>(schema: S) =>
  z.preprocess((value) => value ?? undefined, schema);

/** TCP or UDP port. */
export const port = z.int().min(1).max(65535);

/** Characters that an address has (RFC 3986); all others stand in it percent-encoded. */
export const httpAddress = z
  .string()
  .max(2000, "must be at most 2000 characters")
  .refine(
    (text) => /^https?:\/\/[\w.~:/?#[\]@!$&'()*+,;=%-]+$/.test(text) && URL.canParse(text),
    "must be an http or https address",
  );

export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 of 64 lower case hex digits");

/**
 * Name of a host in the inventory. Not one that every JavaScript object has, as whoever looks it up in a map
 * without it would find something.
 */
export const hostName = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "a host name is lower case letters, digits and inner hyphens",
  )
  .refine((name) => !isInherited(name), inheritedText);

/** A DNS name or an IP address alone: nothing that a shell, ssh or its configuration reads as more. */
export const isPlainAddress = (text: string): boolean =>
  (isIPv6(text) && /^[0-9A-Fa-f:.]+(%[\w.-]+)?$/.test(text)) || /^\w[\w.-]{0,252}$/.test(text);

/** A user to log in as, also of a domain: `ops`, `CORP\ops`, `ops@corp.example`. */
export const isLoginUser = (text: string): boolean =>
  /^[\w.]([\w.@\\+-]{0,254}[\w.+-])?\$?$/.test(text) && !text.endsWith("\\");

/**
 * Text of one line without control characters, without what turns the direction in which it reads, and
 * without halves of characters, which no file can hold.
 */
export const oneLine = z
  .string()
  .max(4000, "must be at most 4000 characters")
  .regex(
    /^[^\p{Cc}\p{Cs}\u200e\u200f\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069]*$/u,
    "must be one line without control characters",
  );

/** A file on the operator's machine. ssh would replace `%` and `$` in it, and has no way to write `"`. */
export const localFile = oneLine
  .min(1)
  .regex(/^[^%$"]*$/, 'must be the path of a file, without % $ "')
  .regex(/^(?!-)/, "must not begin with a hyphen");

/** What a person or a program is known by, sent as one line on a stream. */
export const secretLine = z.string().regex(/^[^\r\n\0]*$/, "must be one line");

/** Package of the distribution. */
export const packageName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9+.-]+$/,
    "must be a package name as apt writes it, without version and architecture",
  );

/** Beginning of names of packages. */
export const packageBeginning = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9+.-]*$/,
    "must be the beginning of a package's name as apt writes it, such as nvidia-",
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
export const sources = z
  .union([z.literal("any"), z.array(z.string().max(50, "is no address or network"))])
  .superRefine((from, context) => {
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
