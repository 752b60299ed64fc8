import type { UfwRule } from "#facts/ufw.ts";
import { canonicalAddress } from "#inventory/address.ts";
import { type ShellCommand, sh } from "#transport/command.ts";
import { inOrderOf, type Ports, type Rule } from "./inputs.ts";

/** One command's worth of rule; ufw makes the IPv4 and the IPv6 one of a rule without addresses. */
interface Line {
  readonly port: string;
  /** `any` or a canonical address. */
  readonly source: string;
  readonly verdict: "allow" | "deny";
}

const tag = "gpu-hosts";
const tagged = ({ comment }: UfwRule) => comment === tag || comment.startsWith(`${tag} `);

const linesOf = (port: string, { from }: Rule): readonly Line[] =>
  from === "any"
    ? [{ port, source: "any", verdict: "allow" }]
    : [
        ...from.map((source): Line => ({ port, source, verdict: "allow" })),
        { port, source: "any", verdict: "deny" },
      ];

const portKey = ({ protocol, port }: UfwRule) => `${protocol}/${port.replace(":", "-")}`;

/**
 * The rule both ufw lists must hold to mean what a line says; those with an address stand in one list only.
 */
function standsFor(line: Line): (rule: UfwRule) => boolean {
  return (rule) =>
    rule.plain &&
    rule.to === "any" &&
    portKey(rule) === line.port &&
    rule.action === line.verdict &&
    (rule.from === line.source || canonicalAddress(rule.from) === line.source);
}

const families = (line: Line): readonly number[] =>
  line.source === "any" ? [4, 6] : [line.source.includes(":") ? 6 : 4];

/**
 * Place of a line in each list where it belongs; `undefined` if it is missing in one. An equal rule of
 * somebody else serves as well.
 */
function places(line: Line, rules: readonly UfwRule[]): readonly number[] | undefined {
  const found = families(line).map((family) =>
    rules.filter((rule) => rule.family === family).findIndex(standsFor(line)),
  );
  return found.includes(-1) ? undefined : found;
}

/**
 * Whether a foreign rule that speaks of the port to everybody stands before ours and so decides in its place.
 */
function overruled(line: Line, rules: readonly UfwRule[]): boolean {
  const own = standsFor(line);
  return families(line).some((family) => {
    const list = rules.filter((rule) => rule.family === family);
    const [protocol, port] = line.port.split("/");
    return list
      .slice(0, list.findIndex(own))
      .some(
        (rule) =>
          !tagged(rule) &&
          rule.to === "any" &&
          rule.from === "any" &&
          (rule.protocol === protocol || rule.protocol === "any") &&
          (rule.port === "any" || rule.port === port?.replace("-", ":")) &&
          rule.action.startsWith("allow") !== (line.verdict === "allow"),
      );
  });
}

/** Whether all lines of a port stand, in an order in which they work. */
function works(lines: readonly Line[], rules: readonly UfwRule[]): boolean {
  const end = lines.at(-1);
  const last = end && places(end, rules);
  if (!end || !last || overruled(end, rules)) return false;
  return lines.slice(0, -1).every((line) => {
    const at = places(line, rules);
    const family = line.source.includes(":") ? 1 : 0;
    return at !== undefined && (at[0] ?? 0) < (last[family] ?? 0);
  });
}

/** What our tagged rules of one port amount to, as far as they go. */
function effect(ours: readonly UfwRule[]): Rule {
  const comment = ours[0]?.comment.slice(tag.length + 1) ?? "";
  const denied = [4, 6].every((family) =>
    ours.some((rule) => rule.family === family && rule.action === "deny"),
  );
  if (!denied) return { from: "any", comment };
  return {
    from: ours
      .filter((rule) => rule.action === "allow")
      .map((rule) => canonicalAddress(rule.from) ?? rule.from),
    comment,
  };
}

/** Whether a wanted rule is in force and nothing else of ours is there for its port. */
function inForce(port: string, want: Rule, ours: readonly UfwRule[], rules: readonly UfwRule[]): boolean {
  const lines = linesOf(port, want);
  const expected = (rule: UfwRule) =>
    lines.some((line) => standsFor(line)(rule)) && rule.comment === commentOf(want);
  return works(lines, rules) && ours.every(expected);
}

/** What ufw has of ours. */
export interface UfwState {
  /** In the shape of the inputs. */
  readonly ports: Ports;
  /** Ports whose rules are all there, but in an order in which they do not work. */
  readonly ineffective: readonly string[];
  /** Our rules of each port, as words for `ufw delete`. */
  readonly tagged: Readonly<Record<string, readonly string[]>>;
  /** Rules of others in whose place ufw takes none of ours, as words for `ufw delete`. */
  readonly clashes: readonly string[];
}

/** An equal rule of somebody else serves as well (ufw would not take a second one) and stays theirs. */
export function readUfw(rules: readonly UfwRule[], wanted: Ports): UfwState {
  const ours = Map.groupBy(rules.filter(tagged), portKey);
  const ports: Ports = {};
  const ineffective: string[] = [];
  for (const key of new Set([...Object.keys(wanted), ...ours.keys()])) {
    const [want, own = []] = [wanted[key], ours.get(key)];
    if (want && inForce(key, want, own, rules)) ports[key] = want;
    else if (own.length > 0) {
      ports[key] = inOrderOf(want, effect(own));
      if (JSON.stringify(ports[key]) === JSON.stringify(want)) ineffective.push(key);
    }
  }
  const phrases = [...ours].map(([key, own]) => [key, [...new Set(own.map(phrase))]]);
  const clashes = Object.entries(wanted).flatMap(([key, want]) => clashesWith(linesOf(key, want), rules));
  return { ports, ineffective, tagged: Object.fromEntries(phrases), clashes: [...new Set(clashes)] };
}

const phrase = (rule: UfwRule) =>
  words({ port: portKey(rule), source: rule.from, verdict: rule.action }).join(" ");

/** For ufw a rule that differs in nothing but allow or deny is the same one, and it keeps the one it has. */
function clashesWith(lines: readonly Line[], rules: readonly UfwRule[]): readonly string[] {
  return lines.flatMap((line) => {
    const same = (rule: UfwRule) => standsFor(line)({ ...rule, action: line.verdict });
    return rules.filter((rule) => !tagged(rule) && rule.action !== line.verdict && same(rule)).map(phrase);
  });
}

function words({ port, source, verdict }: { port: string; source: string; verdict: string }): string[] {
  const [protocol = "", numbers = ""] = port.split("/");
  return [verdict, "proto", protocol, "from", source, "to", "any", "port", numbers.replace("-", ":")];
}

/** @param phrases of {@link UfwState.tagged} */
export const deletions = (phrases: readonly string[]): readonly ShellCommand[] =>
  phrases.map((phrase) => sh`ufw --force delete ${phrase.split(" ")}`);

const commentOf = ({ comment }: Rule) => (comment === "" ? tag : `${tag} ${comment}`);

/** Commands that put the rules of a port before all others, those that allow before the one that denies. */
export const additions = (port: string, rule: Rule): readonly ShellCommand[] =>
  [...linesOf(port, rule)].reverse().map((line) => sh`ufw prepend ${words(line)} comment ${commentOf(rule)}`);
