import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { contents } from "#facts/files.ts";
import { nftTable } from "#facts/nftables.ts";
import { sshPorts } from "#facts/ss.ts";
import { showUnit } from "#facts/systemd.ts";
import { ufw } from "#facts/ufw.ts";
import type { Step } from "#provider/contract/step.ts";
import { stepText } from "#tests/support/step-text.ts";
import { keyOf } from "#transport/command.ts";
import type { Fact, Host } from "#transport/host.ts";
import { bootFile, bootUnit, bootUnitPath, bootUnitText } from "./boot.ts";
import { firewall } from "./firewall.ts";
import { readTable, renderTable } from "./nft.ts";
import { revertTimer } from "./revert.ts";
import { additions, deletions, readUfw } from "./ufw.ts";

const fixture = (name: string) =>
  readFileSync(new URL(`../../../facts/fixtures/${name}`, import.meta.url), "utf8");
const answer = (stdout: string) => ({ exitCode: 0, stdout, stderr: "" });
const loaded = () => nftTable("inet", "gpu_hosts").parse(answer(fixture("nft-table.debian12.txt"))) ?? [];
const parse = (ports: Record<string, unknown>) => firewall.inputs.safeParse({ ports });
const messages = (ports: Record<string, unknown>) =>
  parse(ports).error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);

/** What the recorded table was made from. */
const ports = {
  "tcp/8080": { from: ["fd00::/64", "10.0.0.0/24"], comment: "chat" },
  "udp/8000-8100": { from: "any" as const, comment: "" },
  "tcp/50052": { from: ["10.0.0.11"], comment: "rpc" },
};

const context = { before: () => undefined };
const status = { backend: "nftables", sshPorts: [22], ufwRules: {}, ufwClashes: [] };
const kinds = (steps: Iterable<Step>) => [...steps].map((step) => step.kind);

test("a loaded table is read in the words of the inputs, sources in their order", () => {
  const read = readTable(loaded(), ports);
  expect(read.ports["udp/8000-8100"]).toEqual(ports["udp/8000-8100"]);
  expect(read.ports["tcp/8080"]).toEqual(ports["tcp/8080"]);
});

test("without its last rule a port is open", () => {
  const [chain] = loaded();
  const rules = (chain?.rules ?? []).slice(0, -1);
  const read = readTable([{ ...chain, name: "input", rules }], ports);
  expect(read.ports["tcp/50052"]?.from).toBe("any");
});

test.each([
  ["a foreign rule", (rules: unknown[]) => rules.push({ expr: [{ accept: null }] }), "not ours"],
  ["a port opened at the top", (rules: unknown[]) => rules.unshift(rules[5]), "not first"],
  ["a rule that stands twice", (rules: unknown[]) => rules.push(rules.at(-1)), "twice"],
])("%s is seen", (_, change, said) => {
  const [chain] = structuredClone(loaded());
  change(chain?.rules as unknown as unknown[]);
  const { problem } = readTable(
    [{ name: "input", ...chain, rules: chain?.rules ?? [] }],
    readTable(loaded(), ports).ports,
  );
  expect(problem).toContain(said);
});

test("a table renders accepting rules before the one that drops, and IPv6 as such", () => {
  expect(renderTable(ports)).toContain(
    '\t\ttcp dport 8080 ip6 saddr fd00::/64 accept comment "chat"\n' +
      '\t\ttcp dport 8080 ip saddr 10.0.0.0/24 accept comment "chat"\n' +
      '\t\ttcp dport 8080 drop comment "chat"\n',
  );
});

test("addresses as a firewall would not print them are refused with the cure", () => {
  expect(messages({ "tcp/1": { from: ["10.0.0.5/24", "rack1", "::/0"] } })).toEqual([
    "ports.tcp/1.from.0: is not as the firewall writes it: 10.0.0.0/24",
    "ports.tcp/1.from.1: is no address or network; names are not resolved here",
    'ports.tcp/1.from.2: is everybody; write from: "any"',
  ]);
});

test("overlapping and impossible ports are refused", () => {
  expect(messages({ "tcp/80-90": { from: [] }, "tcp/85": { from: [] } })?.join()).toContain("overlap");
  expect(parse({ "tcp/80-90": { from: [] }, "udp/85": { from: [] } }).success).toBe(true);
  expect(parse({ "tcp/99999": { from: [] } }).success).toBe(false);
  expect(parse({ "tcp/90-80": { from: [] } }).success).toBe(false);
});

test("a change proves a new connection before it is kept for the next boot", () => {
  const want = firewall.inputs.parse({ ports });
  const steps = [...firewall.apply(want, { config: {}, status }, context)];
  const at = (found: (text: string) => boolean) => steps.findIndex((step) => found(stepText(step)));
  const armed = at((text) => text.includes("systemd-run"));
  const changed = at((text) => /nft --file \S+next\.nft/.test(text) && !text.includes("--check"));
  const proven = steps.findIndex(({ kind }) => kind === "reconnect");
  const kept = at((text) => text.startsWith("write /etc/gpu-hosts/firewall.nft"));
  expect([armed, changed, proven, kept].every((place, i, all) => place > (all[i - 1] ?? -1))).toBe(true);
});

type Ports = Parameters<typeof renderTable>[0];

/** A machine with the recorded table in effect, and these rules at boot. */
function machineWith(atBoot: Ports): Host {
  const unit = (active: string) => ({ file: active === "active" ? "enabled" : "", active, queued: false });
  const seen = new Map<string, unknown>([
    [keyOf(showUnit(bootUnit).command), unit("active")],
    [keyOf(showUnit("firewalld.service").command), unit("inactive")],
    [keyOf(showUnit(revertTimer).command), unit("inactive")],
    [keyOf(nftTable("inet", "gpu_hosts").command), loaded()],
    [keyOf(ufw.command), { active: false, rules: [] }],
    [keyOf(sshPorts.command), [22]],
    [
      keyOf(contents([bootFile, bootUnitPath]).command),
      new Map([
        [bootFile, Buffer.from(renderTable(atBoot))],
        [bootUnitPath, Buffer.from(bootUnitText)],
      ]),
    ],
  ]);
  return { ask: async (fact: Fact<unknown>) => seen.get(keyOf(fact.command)) } as unknown as Host;
}

test("where the stack file asks for other ports, the rules of the last run at boot are no finding", async () => {
  const last = { ports: readTable(loaded(), ports).ports };
  const want = { ports: { ...last.ports, "tcp/8081": { from: "any" as const, comment: "" } } };
  const findings = async (atBoot: Ports, ...wants: [{ ports: Ports }, { ports: Ports }]) =>
    (await firewall.observe(machineWith(atBoot), ...wants))?.findings;
  expect(await findings(last.ports, want, last)).toEqual([]);
  const boot = { path: ["boot"], text: "the rules loaded at boot are others than wanted" };
  expect(await findings({}, want, last)).toEqual([boot]);
  // A run that broke off between the two: nothing else would lead to the file being written.
  expect(await findings({}, last, { ports: {} })).toContainEqual(boot);
});

test("where only the boot file is wrong, the loaded rules are left alone", () => {
  const want = firewall.inputs.parse({ ports });
  const findings = [{ path: ["boot"], text: "it is not enabled" }];
  const have = { config: { ports: want.ports }, findings, status };
  expect(kinds(firewall.apply(want, have, context))).not.toContain("reconnect");
});

test("a port of the SSH server, and firewalld, are refused", () => {
  const want = firewall.inputs.parse({ ports: { "tcp/2000-3000": { from: [] } } });
  const on = (changes: object) => () => [
    ...firewall.apply(want, { config: {}, status: { ...status, ...changes } }, context),
  ];
  expect(on({ sshPorts: [2222] })).toThrow("SSH server (2222)");
  expect(on({ backend: "firewalld" })).toThrow("firewalld is active");
});

test("tagged ufw rules are read in the words of the inputs, others are not ours", () => {
  const { rules } = ufw.parse(answer(fixture("ufw-ours.debian12.txt")));
  const want = {
    "tcp/8080": { from: ["10.0.0.0/24", "fd00::/64"], comment: "chat" },
    "udp/8000-8100": { from: "any" as const, comment: "" },
  };
  const read = readUfw(rules, want);
  expect(read.ports).toEqual(want);
  expect(read.ineffective).toEqual([]);
  expect(deletions(read.tagged["tcp/8080"] ?? []).map(({ text }) => text)).toEqual([
    "ufw --force delete allow proto tcp from 10.0.0.0/24 to any port 8080",
    "ufw --force delete deny proto tcp from any to any port 8080",
    "ufw --force delete allow proto tcp from fd00::/64 to any port 8080",
  ]);
});

test("a foreign ufw rule that decides first is seen", () => {
  const { rules } = ufw.parse(answer(fixture("ufw-overruled.debian12.txt")));
  expect(
    readUfw(rules, { "tcp/8080": { from: ["10.0.0.0/24", "fd00::/64"], comment: "chat" } }).ineffective,
  ).toEqual(["tcp/8080"]);
});

test("a foreign ufw rule that says the opposite is refused with the command that removes it", () => {
  const { rules } = ufw.parse(answer(fixture("ufw-ours.debian12.txt")));
  const wanted = firewall.inputs.parse({ ports: { "tcp/22": { from: [] } } });
  const { clashes } = readUfw(rules, wanted.ports);
  const have = { config: {}, status: { ...status, backend: "ufw", sshPorts: [2222], ufwClashes: clashes } };
  expect(() => [...firewall.apply(wanted, have, context)]).toThrow(
    "ufw delete allow proto tcp from any to any port 22",
  );
});

test("ufw gets the denying rule first, so that those that allow end up before it", () => {
  expect(additions("tcp/8000-8010", { from: ["10.0.0.1"], comment: "chat" }).map(({ text }) => text)).toEqual(
    [
      "ufw prepend deny proto tcp from any to any port 8000:8010 comment 'gpu-hosts chat'",
      "ufw prepend allow proto tcp from 10.0.0.1 to any port 8000:8010 comment 'gpu-hosts chat'",
    ],
  );
});
