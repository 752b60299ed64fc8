import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandFigures } from "./commands.ts";
import type { FirstToken } from "./first-token.ts";
import type { Grown } from "./growth.ts";
import type { Machine } from "./machine.ts";
import type { Measured } from "./measure.ts";
import type { PeerFigures } from "./peers/peers.ts";
import { gantt, plot } from "./svg.ts";

/** What a part of the benchmark found, and where and with what. */
interface Part<T> {
  readonly at: Machine;
  readonly rounds: number;
  readonly found: T;
}

/** All that is known; a part that is measured anew takes the place of the old one. */
export interface Report {
  readonly commands?: Part<CommandFigures>;
  readonly peers?: Part<PeerFigures>;
  readonly growth?: Part<readonly Grown[]>;
  readonly firstToken?: Part<FirstToken>;
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map((_, i) => (i === 0 ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");

const s = (seconds: number) => (seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1));
const mb = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(bytes < 10 * 1024 ** 2 ? 1 : 0)} MB`;
const spread = ({ least, most }: Measured) => `${s(least)} to ${s(most)}`;

function where(
  { at, rounds }: Part<unknown>,
  runs = `${rounds} interleaved ${rounds === 1 ? "run" : "runs"} after one that does not count`,
): string {
  const versions = Object.entries(at.versions).map(([name, version]) => `${name} ${version}`);
  return `${at.day}, ${runs}, load average at the start ${at.load}. ${at.machine}. ${versions.join(", ")}.`;
}

/** Cases by what stands before the colon of their names. */
function grouped(measured: readonly Measured[]): string {
  const groups = Map.groupBy(measured, ({ name }) => name.split(": ")[0] ?? "");
  return [...groups]
    .map(([group, cases]) => {
      const bare = cases.find(({ name }) => name.endsWith("bare ssh"));
      const rows = cases.map((one) => [
        one.name.slice(group.length + 2),
        s(one.median),
        spread(one),
        ...(bare ? [`${(one.median / bare.median).toFixed(1)}×`] : []),
      ]);
      return `**${group}**\n\n${table(["", "median, s", "spread, s", ...(bare ? ["of bare ssh"] : [])], rows)}`;
    })
    .join("\n\n");
}

function commandsText(part: Part<CommandFigures>): string {
  const { measured, roundTrips, providerBytes, boots } = part.found;
  const of = (name: string) => measured.find((one) => one.name === name)?.median ?? Number.NaN;
  const above = (name: string) => s(of(name) - of("no host: pulumi preview of a trivial program"));
  return `## One host and four, 50 items each, nothing changed

40 files of 1 kB, 5 packages and 5 services on each host, brought about by the engine. The bare ssh logs in once and reads by hand,
in as few processes as there are tools, what the scan reads. \`scan alone\` is the same look as drift's in a process that already
runs, its login included. The line is made 50 ms longer (a round trip) by a relay that holds each byte back.

${grouped(measured)}

- Round trips of the scan after its login: **${roundTrips}** (a request and its answer on a channel; tests/lab/round-trips.test.ts counts them too).
- A preview takes ${above("1 host, 0 ms: pulumi preview")} s longer than that of a trivial program, one of stacks/index.ts with the base of one host ${above("1 host, 0 ms: pulumi preview of stacks/index.ts")} s.
- The provider's process took at most **${mb(providerBytes)}** during \`up --refresh\` on one host.
- A lab of one fresh host, from nothing (disk, network, boot) to its first login: ${boots.map(s).join(", ")} s.

${where(part)}`;
}

function peersText(part: Part<PeerFigures>): string {
  const { measured } = part.found;
  const rows = ["1 host", "4 hosts"].flatMap((group) => {
    const drift = measured.find(({ name }) => name === `${group}: gpu-hosts drift`)?.median ?? Number.NaN;
    return measured
      .filter(({ name }) => name.startsWith(`${group}: `))
      .map((one) => [one.name, s(one.median), spread(one), `${(one.median / drift).toFixed(1)}×`]);
  });
  return `## Beside others

A run that changes nothing, of the same desired state on the same hosts. Ansible with pipelining and without gathering facts, its files in
loops, as one writes it; the same playbook with Mitogen's strategy; pyinfra's operations one after the other, as it has them. Each run
logs in anew. Like \`up --refresh\`, and unlike \`drift\`, the peers would have repaired a difference. Their descriptions: tests/bench/peers/.

${table(["", "median, s", "spread, s", "of drift"], rows)}

${where(part)}`;
}

function growthText(part: Part<readonly Grown[]>): string {
  const names = part.found[0]?.measured.map(({ name }) => name) ?? [];
  const rows = part.found.map((grown) => [
    String(grown.hosts),
    String(grown.resources),
    ...names.map((name) => s(grown.measured.find((one) => one.name === name)?.median ?? Number.NaN)),
    mb(grown.providerBytes),
    mb(grown.stateBytes),
  ]);
  const ways = Object.keys(part.found[0]?.changes ?? {});
  const changes = part.found.map((grown) => [
    String(grown.hosts),
    String(grown.resources),
    ...ways.map((way) => s(grown.changes[way] ?? Number.NaN)),
  ]);
  return `## Growth

25 resources a host: 22 of two files each, one of packages, two services. The hosts are simulated: many sshd on one lab host, which shares
its processors with the engine and with the provider; that alone is the first column of times, one ssh to each host that runs \`true\`. No change
in any of them.

![Seconds by number of hosts](benchmark-growth.svg)

${table(["hosts", "resources", ...names.map((name) => `${name}, s`), "provider", "state"], rows)}

What the file backend costs: it writes the whole state before and after each resource that changes. An \`up\` that changes one file on every
host, in seconds, with the state as it is by default, compressed (\`PULUMI_DIY_BACKEND_GZIP=true\`) and written at the end only
(\`PULUMI_EXPERIMENTAL=true PULUMI_SKIP_CHECKPOINTS=true\`, after which a run that was killed has recorded nothing; the next one looks at the hosts and adopts
what is there):

${table(["hosts", "resources", ...ways.map((way) => `${way}, s`)], changes)}

${where(part)}`;
}

function firstTokenText(part: Part<FirstToken>): string {
  const { spans, chain, chainSeconds, resourceSeconds, upSeconds, tokenSeconds } = part.found;
  const rows = chain.map((name) => {
    const span = spans.find((one) => one.name === name);
    return [name, span?.type ?? "", s(span?.begun ?? Number.NaN), s((span?.done ?? 0) - (span?.begun ?? 0))];
  });
  return `## From two bare hosts to the first token

A tiny model, split between two fresh Debian testing hosts with the distribution's llama.cpp; packages come from a cache on this machine. The
whole \`npm run up\` took ${s(upSeconds)} s, its preview and Pulumi's own start included; the first answer was there after ${s(tokenSeconds)} s.
Resources: ${s(resourceSeconds)} s from the first one begun to the last one done, **${(resourceSeconds / chainSeconds).toFixed(2)} ×** the longest chain of dependencies (${s(chainSeconds)} s, dark in the picture).

![When each resource was begun and done](benchmark-first-token.svg)

${table(["on the longest chain", "type", "begun at, s", "took, s"], rows)}

${where(part, "one run")}`;
}

const markdown = ({ commands, peers, growth, firstToken }: Report) =>
  [
    "# Benchmark",
    "Made by `npm run bench`; not by hand. Times are of whole commands and are no promise for another machine: look at what stands beside them.",
    ...(commands ? [commandsText(commands)] : []),
    ...(peers ? [peersText(peers)] : []),
    ...(growth ? [growthText(growth)] : []),
    ...(firstToken ? [firstTokenText(firstToken)] : []),
    "",
  ].join("\n\n");

/** Puts new parts into the report of a folder: `benchmark.json`, `benchmark.md` and the pictures. */
export function record(folder: string, parts: Report): void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "benchmark.json");
  const before: Report = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  const report: Report = { ...before, ...parts };
  writeFileSync(file, `${JSON.stringify(report, undefined, 1)}\n`);
  writeFileSync(join(folder, "benchmark.md"), `${markdown(report).trim()}\n`);
  const { growth, firstToken } = report;
  if (firstToken) writeFileSync(join(folder, "benchmark-first-token.svg"), gantt(firstToken.found));
  if (!growth) return;
  const series = (growth.found[0]?.measured ?? []).map(({ name }) => ({
    name,
    points: growth.found.map(
      ({ hosts, measured }) =>
        [hosts, measured.find((one) => one.name === name)?.median ?? Number.NaN] as const,
    ),
  }));
  writeFileSync(join(folder, "benchmark-growth.svg"), plot("hosts, 25 resources each", "seconds", series));
}
