import type { NftChain, NftRule } from "#facts/nftables.ts";
import { canonicalAddress } from "#inventory/address.ts";
import { type ShellCommand, sh } from "#transport/command.ts";
import { inOrderOf, type Ports, type Rule, samePorts } from "./inputs.ts";
import { workFolder } from "./revert.ts";

/** One rule of ours: who reaches a port, or that nobody else does. */
interface Line {
  readonly port: string;
  /** Canonical address; `undefined`: everybody. */
  readonly source?: string | undefined;
  readonly verdict: "accept" | "drop";
  readonly comment: string;
}

const linesOf = (ports: Ports): readonly Line[] =>
  Object.entries(ports).flatMap(([port, { from, comment }]): Line[] => {
    if (from === "any") return [{ port, verdict: "accept", comment }];
    return [
      ...from.map((source): Line => ({ port, source, verdict: "accept", comment })),
      { port, verdict: "drop", comment },
    ];
  });

function renderLine({ port, source, verdict, comment }: Line): string {
  const [protocol, numbers] = port.split("/");
  const from = source === undefined ? "" : `${source.includes(":") ? "ip6" : "ip"} saddr ${source} `;
  return `${protocol} dport ${numbers} ${from}${verdict}${comment && ` comment "${comment}"`}`;
}

/** For `nft -f`: our table is gone, whether it was there or not. */
export const noTable = "table inet gpu_hosts\ndelete table inet gpu_hosts\n";

/**
 * A file for `nft -f` that replaces our table in one transaction. Answers to what this machine asked for pass
 * first (its own connections may leave from a guarded port number); an open connection to a port that is
 * closed ends.
 */
export const renderTable = (ports: Ports): string => `${noTable}table inet gpu_hosts {
	chain input {
		type filter hook input priority filter; policy accept;
		ct direction reply accept
		iif "lo" accept
${linesOf(ports)
  .map((line) => `\t\t${renderLine(line)}\n`)
  .join("")}	}
}
`;

/** How the table as it is loaded is saved, and brought back. */
export const tableRevert: readonly [save: ShellCommand, restore: ShellCommand] = [
  sh`{ printf '%s' ${noTable}; nft list table inet gpu_hosts 2>/dev/null; true; } > previous.nft`,
  sh`nft --file ${`${workFolder}/previous.nft`}`,
];

const firstRules = [
  '{"match":{"op":"==","left":{"ct":{"key":"direction"}},"right":"reply"}} {"accept":null}',
  '{"match":{"op":"==","left":{"meta":{"key":"iif"}},"right":"lo"}} {"accept":null}',
];

const text = ({ expr }: NftRule) => expr.map((part) => JSON.stringify(part)).join(" ");

type Match = {
  match?: { op: string; left: { payload?: { protocol: string; field: string } }; right: unknown };
};

/** The value a rule compares a header field with. */
function matched(part: unknown, field: string): { protocol: string; value: unknown } | undefined {
  const match = (part as Match).match;
  if (match?.op !== "==" || match.left.payload?.field !== field) return undefined;
  return { protocol: match.left.payload.protocol, value: match.right };
}

function addressOf(value: unknown): string | undefined {
  if (typeof value === "string") return canonicalAddress(value);
  const { prefix } = value as { prefix?: { addr: string; len: number } };
  return prefix && canonicalAddress(`${prefix.addr}/${prefix.len}`);
}

function portOf(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  const { range } = value as { range?: readonly number[] };
  return range?.join("-");
}

/** A loaded rule in our words; `undefined` if it is not of our making. */
function parseLine({ expr, comment = "" }: NftRule): Line | undefined {
  const [first, ...rest] = expr;
  const dport = matched(first, "dport");
  const port = dport && portOf(dport.value);
  if (!port) return undefined;
  const saddr = rest.length > 1 ? matched(rest[0], "saddr") : undefined;
  const source = saddr && addressOf(saddr.value);
  const verdict = JSON.stringify(rest.at(-1));
  if (rest.length !== (source ? 2 : 1) || (verdict !== '{"accept":null}' && verdict !== '{"drop":null}'))
    return undefined;
  return {
    port: `${dport.protocol}/${port}`,
    source,
    verdict: verdict.includes("accept") ? "accept" : "drop",
    comment,
  };
}

/** What the lines of one port amount to: those before the first that concerns everybody count. */
function effect(lines: readonly Line[]): Rule {
  const end = lines.findIndex((line) => line.source === undefined);
  const comment = lines[0]?.comment ?? "";
  if (end === -1 || lines[end]?.verdict === "accept") return { from: "any", comment };
  return {
    from: lines
      .slice(0, end)
      .flatMap(({ source, verdict }) => (source && verdict === "accept" ? source : [])),
    comment,
  };
}

/** What is loaded, in the shape of the inputs, and what else is wrong with it in words. */
export function readTable(chains: readonly NftChain[], wanted: Ports): { ports: Ports; problem?: string } {
  const chain = chains.find(({ name }) => name === "input");
  const rules = chain?.rules ?? [];
  const lines = rules.slice(firstRules.length).map(parseLine);
  const known = lines.flatMap((line) => line ?? []);
  const keys = [...new Set(known.map(({ port }) => port))];
  const ports = Object.fromEntries(
    keys.map((key) => [key, inOrderOf(wanted[key], effect(known.filter(({ port }) => port === key)))]),
  );
  const hooked =
    chain?.type === "filter" && chain.hook === "input" && chain.prio === 0 && chain.policy === "accept";
  if (!hooked || chains.length > 1) return { ports, problem: "the table has other chains than ours" };
  if (firstRules.some((rule, i) => rules[i] === undefined || text(rules[i]) !== rule))
    return {
      ports,
      problem: "the rules that let answers and the machine itself through are gone or not first",
    };
  const foreign = rules.slice(firstRules.length).filter((_, i) => lines[i] === undefined);
  if (foreign.length > 0)
    return { ports, problem: `rules that are not ours: ${foreign.map(text).join("; ")}` };
  const plain = (all: readonly Line[]) => all.map(renderLine).sort().join("\n");
  // Only said when nothing else is: a missing line shows at its port.
  if (samePorts(ports, wanted) && plain(known) !== plain(linesOf(ports)))
    return { ports, problem: "rules stand twice or after the one that ends their port" };
  return { ports };
}
