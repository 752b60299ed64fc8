import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ModelFacts } from "#models/facts.ts";
import { keepFacts } from "#models/facts-cache.ts";
import { requantized } from "#models/fit/advice.ts";
import { describedModel } from "#models/report/described.ts";
import { describe } from "#models/report/known-models.ts";
import { parseConfiguration } from "./config.ts";
import { factsIn, fitWarnings, judgeServices } from "./fit.ts";

/** Facts as `plan` and `service add` leave them, of models whose numbers are those of their config.json. */
let folder: string;
const revision = "0123456789abcdef0123456789abcdef01234567";
const models: Readonly<Record<string, ModelFacts>> = {
  "llama-3.1-70b": factsOf("Llama-3.1-70B"),
  "qwen2.5-72b": factsOf("Qwen2.5-72B"),
  "llama-3.1-8b": factsOf("Llama-3.1-8B"),
  "qwen2.5-coder-32b": factsOf("Qwen2.5-Coder-32B"),
};

function factsOf(name: string): ModelFacts {
  const described = describe(name);
  if (described === undefined) throw new Error(`${name} is not described`);
  return { ...describedModel(described, "Q4_K_M"), trainedContext: 131_072 };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "facts-"));
  const kept = Object.entries(models).map(([name, facts]) =>
    keepFacts(folder, { repository: `x/${name}`, revision, files: ["m.gguf"] }, facts),
  );
  await Promise.all(kept);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const gpu = (memoryGiB: number) => ({ model: "NVIDIA GeForce RTX", memoryGiB, computeCapability: "8.9" });
const machine = (address: string, facts: object) => ({ platform: "linux", address, ...facts });
const hosts = {
  vengeance: machine("10.0.0.1", { memoryGiB: 64, gpus: [gpu(24)] }),
  twin: machine("10.0.0.2", { memoryGiB: 64, gpus: [gpu(24), gpu(24)] }),
  nas: machine("10.0.0.3", { memoryGiB: 16, gpus: [] }),
  unseen: machine("10.0.0.4", {}),
};
const service = (name: string, leader: string, change: object = {}) => ({
  engine: "llamacpp",
  leader,
  model: { repo: `x/${name}`, revision, files: { "m.gguf": "a".repeat(64) } },
  listen: "local",
  context: 8192,
  ...change,
});

const facts = () => factsIn(folder);
const parsed = (services: Record<string, unknown>) =>
  parseConfiguration({ hosts, services }, { facts: facts() });
function problemOf(name: string, leader: string, change: object = {}): string | undefined {
  try {
    parsed({ chat: service(name, leader, change) });
    return undefined;
  } catch (error) {
    return (error as Error).message.split("\n").slice(1).join("\n").trim();
  }
}
const fitOf = (name: string, leader: string, change: object = {}) => {
  const { services } = parseConfiguration({ hosts, services: { chat: service(name, leader, change) } });
  return judgeServices(services, parseConfiguration({ hosts }).hosts, { facts: facts() }).judged[0]?.fit;
};

// A plan for an RTX 4090 once had 70B and 72B in 4 bit at 20 to 22 GB, so within its 24 GB.
test.each(["llama-3.1-70b", "qwen2.5-72b"])(
  "%s in 4 bit on a card of 24 GB is refused, with numbers",
  (name) => {
    const text = problemOf(name, "vengeance");
    expect(text).toMatch(
      /^services\.chat\.model: does not fit: vengeance needs 4\d\.\d GiB and has 23\.5 GiB; .*; or with gpuLayers: 4\d of 81, the rest on vengeance's processor, much slower$/,
    );
  },
);

test("its 8B and 32B in 4 bit are taken", () => {
  expect(problemOf("llama-3.1-8b", "vengeance")).toBeUndefined();
  expect(problemOf("qwen2.5-coder-32b", "vengeance")).toBeUndefined();
});

test("what does not fit one machine fits two cards, or a group with workers in their order", () => {
  expect(problemOf("llama-3.1-70b", "twin")).toBeUndefined();
  const fit = fitOf("llama-3.1-70b", "vengeance", { workers: ["twin"] });
  expect(fit?.decision).toBe("pass");
  expect(fit?.needs.map(({ host, place }) => `${host} ${place}`)).toEqual([
    "twin GPU 0",
    "twin GPU 1",
    "vengeance GPU 0",
    "vengeance memory",
  ]);
});

test("a worker without a GPU lends its memory", () => {
  const fit = fitOf("llama-3.1-70b", "vengeance", { workers: ["nas"] });
  expect(fit?.needs.map(({ host, place }) => `${host} ${place}`)).toContain("nas memory");
  expect(problemOf("qwen2.5-72b", "vengeance", { workers: ["nas"] })).toMatch(
    /nas \(memory\) needs|vengeance needs/,
  );
});

test("layers that the operator leaves to the processor are no reason to refuse", () => {
  expect(problemOf("llama-3.1-70b", "vengeance", { gpuLayers: 36 })).toBeUndefined();
  expect(problemOf("llama-3.1-70b", "vengeance", { gpuLayers: 60 })).toContain("vengeance needs");
});

test("on a machine without GPUs its memory counts, and on the processor's build too", () => {
  expect(problemOf("llama-3.1-8b", "nas")).toBeUndefined();
  expect(problemOf("llama-3.1-70b", "nas")).toContain("the machine's memory needs 4");
  const release = {
    tag: "b11669",
    variant: "cpu",
    archives: { "llama-b11669-bin-ubuntu-x64.tar.gz": "ab".repeat(32) },
  };
  expect(problemOf("llama-3.1-70b", "vengeance", { build: { release } })).toBeUndefined();
});

test("a context of 0 that does not fit is what llama-server makes it; too little for that is refused", () => {
  const { decision, text } = fitOf("qwen2.5-coder-32b", "vengeance", { context: 0 }) ?? {};
  expect(decision).toBe("warn");
  expect(text).toMatch(/^of the 131072 tokens that it was trained for \d+ fit: /);
  const warnings: string[] = [];
  const services = { chat: service("qwen2.5-coder-32b", "vengeance", { context: 0 }) };
  parseConfiguration({ hosts, services }, { facts: facts(), warn: (line) => warnings.push(line) });
  expect(warnings).toEqual([`chat: ${text}`]);
  expect(problemOf("llama-3.1-70b", "vengeance", { context: 0 })).toContain("does not fit");
});

test("two services on one card: the second has what the first leaves", () => {
  const small = (port: number) => service("llama-3.1-8b", "vengeance", { port, context: 16_384 });
  const two = { one: small(8080), two: small(8081), three: small(8082), four: small(8083) };
  expect(() => parsed({ one: two.one, two: two.two, three: two.three })).not.toThrow();
  expect(() => parsed(two)).toThrow(
    /services\.four\.model: does not fit: vengeance needs \d\.\d GiB and has \d\.\d GiB/,
  );
});

test("what takes memory counts: cache types among the arguments, a context of its own", () => {
  const cache = (change: object) => fitOf("llama-3.1-8b", "vengeance", change)?.needs[0]?.cacheMiB;
  expect(cache({})).toBe(1024);
  expect(cache({ extraArgs: ["--cache-type-k", "q8_0", "--cache-type-v=q8_0"] })).toBe(544);
  expect(cache({ context: 16_384 })).toBe(2048);
});

test("what is not known is never refused, and said", () => {
  expect(problemOf("llama-3.1-70b", "unseen")).toBeUndefined();
  expect(fitOf("llama-3.1-70b", "unseen")).toBeUndefined();
  expect(problemOf("not-read-yet", "vengeance")).toBeUndefined();
  const strange = {
    ...requantized(models["qwen2.5-coder-32b"] as ModelFacts, 5.2),
    doubts: ["strange is not known here"],
  };
  const { services } = parseConfiguration({
    hosts,
    services: { chat: service("any", "vengeance", { context: 32_768 }) },
  });
  const { judged } = judgeServices(services, parseConfiguration({ hosts }).hosts, { facts: () => strange });
  expect(fitWarnings(judged)).toEqual([
    expect.stringMatching(/^chat: does not fit: .*\(estimate: strange is not known here\)$/),
  ]);
});
