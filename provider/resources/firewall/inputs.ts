import { z } from "zod";
import { ruleComment, sources } from "#inventory/kinds.ts";

const rule = z.strictObject({
  from: sources.describe(
    'Addresses and networks (10.0.0.0/24, fd00::/64) that may connect; "any": everybody, []: only the machine itself.',
  ),
  comment: ruleComment
    .default("")
    .describe("Shown beside the rule on the machine, such as the service it is for."),
});

/** First and last port of `tcp/8080` or `udp/8000-8100`, and the protocol. */
function parsePort(key: string): { protocol: string; first: number; last: number } {
  const [, protocol = "", first = "", last = first] = /^(tcp|udp)\/(\d+)(?:-(\d+))?$/.exec(key) ?? [];
  return { protocol, first: Number(first), last: Number(last) };
}

const portKey = z
  .string()
  .regex(/^(tcp|udp)\/[1-9]\d*(-[1-9]\d*)?$/, "is tcp/<port>, udp/<port> or a range such as tcp/8000-8010")
  .refine((key) => {
    const { first, last } = parsePort(key);
    return last <= 65535 && (first < last || !key.includes("-"));
  }, "has ports from 1 to 65535, the lower one first");

/** Whether two keys have a port in common. */
export function overlap(a: string, b: string): boolean {
  const [left, right] = [parsePort(a), parsePort(b)];
  return left.protocol === right.protocol && left.first <= right.last && right.first <= left.last;
}

export const inputs = z.strictObject({
  ports: z
    .record(portKey, rule)
    .refine((ports) => {
      const keys = Object.keys(ports);
      return !keys.some((key, i) => keys.slice(i + 1).some((other) => overlap(key, other)));
    }, "overlap: say of each port once who may connect")
    .describe(
      "Ports that are guarded, `tcp/8080` or `tcp/8000-8010`, and who may connect to each. Others are left alone.",
    ),
});

export type Want = z.output<typeof inputs>;
export type Ports = Want["ports"];
export type Rule = z.output<typeof rule>;

/** A port's rule as it is found: sources in the order of the wants if they are the same ones. */
export function inOrderOf(wanted: Rule | undefined, found: Rule): Rule {
  if (!wanted || wanted.from === "any" || found.from === "any") return found;
  const same = JSON.stringify([...wanted.from].sort()) === JSON.stringify([...found.from].sort());
  return same ? { ...found, from: wanted.from } : found;
}

export const sameRule = (a: Rule | undefined, b: Rule | undefined) => JSON.stringify(a) === JSON.stringify(b);

export function samePorts(a: Ports | undefined, b: Ports): boolean {
  return a !== undefined && Object.keys({ ...a, ...b }).every((key) => sameRule(a[key], b[key]));
}
