import type { Path } from "#provider/contract/resource.ts";
import { secretText } from "#provider/converge/change-text.ts";
import { valueAt } from "#provider/converge/compare.ts";

/** A shorter secret would blacken half of every text: it is masked where it stands as a word of its own. */
const shortest = 6;
/** Fewer characters of base64 may turn up by chance. */
const shortestBase64 = 8;

/**
 * A function that replaces every secret of a value by `[secret]`: as it is and line by line, as it stands in
 * JSON, in a URL and between a shell's quotes, and as base64, alone or with something before and after it
 * (`Authorization: Basic …`). Not found are its hash, its hex digits, parts of it, and other encodings.
 */
export function masker(value: unknown, secretPaths: readonly Path[]): (text: string) => string {
  const secrets = secretPaths.flatMap((path) => stringsIn(valueAt(value, path))).flatMap(partsOf);
  const texts = [...new Set(secrets)];
  const long = texts.filter((text) => text.length >= shortest);
  const encoded = long.flatMap(base64Of);
  const patterns = [
    ...byLength(long.flatMap(formsOf)).map(escaped),
    ...byLength(texts.filter((text) => text.length < shortest).flatMap(formsOf)).map(
      (text) => `(?<![\\p{L}\\p{N}_])${escaped(text)}(?![\\p{L}\\p{N}_])`,
    ),
  ];
  if (patterns.length === 0) return (text) => text;
  const all = new RegExp([...new Set(patterns)].join("|"), "gu");
  return (text) =>
    text
      // All of it: what stands before and after a secret tells a part of it in base64.
      .replaceAll(/[\w+/-]{8,}={0,2}/g, (run) =>
        encoded.some((one) => run.includes(one)) ? secretText : run,
      )
      .replaceAll(all, secretText);
}

function stringsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(stringsIn) : [];
}

/** The longest first, so that none hides one that it is a part of. */
const byLength = (texts: readonly string[]) => [...texts].sort((a, b) => b.length - a.length);

/** A secret, and its lines: hosts often tell one alone. Of several lines the short ones say nothing. */
function partsOf(secret: string): readonly string[] {
  const lines = secret
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const [only, ...others] = lines;
  if (only === undefined) return [];
  return others.length === 0 ? [secret, only] : [secret, ...lines.filter((line) => line.length >= shortest)];
}

/** In capitals as JavaScript writes it, in small letters as others do. */
const bothCases = (text: string) => [text, text.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())];

const unicode = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** How a secret may be written by what takes it for data. */
function formsOf(secret: string): readonly string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  return [
    secret,
    json,
    // JSON in JSON, as a log in JSON quotes an answer.
    JSON.stringify(json).slice(1, -1),
    // As Go writes it, and so Pulumi; as Python does.
    json.replaceAll(/[<>&\u2028\u2029]/g, unicode),
    json.replaceAll(/[\u0080-\uffff]/g, unicode),
    json.replaceAll("/", "\\/"),
    ...bothCases(encodeURIComponent(secret.toWellFormed())),
    ...bothCases(new URLSearchParams([["", secret]]).toString().slice(1)),
    secret.replaceAll("'", "'\\''"),
  ];
}

/**
 * What stays the same in the base64 of any text that holds a secret, whether it begins at the first, second or
 * third byte of a group; in the alphabet of RFC 4648 and in that for URLs.
 */
function base64Of(secret: string): readonly string[] {
  const bytes = Buffer.from(secret, "utf8");
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    const own = text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    if (own.length < shortestBase64) return [];
    return [own, own.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

const escaped = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
