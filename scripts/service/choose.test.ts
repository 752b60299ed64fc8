import { expect, test } from "vitest";
import { type HostEntry, hostEntry } from "#inventory/inventory.ts";
import { bitsPerWeight, requantized } from "#models/fit/advice.ts";
import { describedModel } from "#models/report/described.ts";
import { describe } from "#models/report/known-models.ts";
import { type Choices, choose } from "./choose.ts";
import { consideredText } from "./considered-text.ts";

const bits = { Q8_0: 8.5, Q6_K: 6.56, Q4_K_M: 4.89, Q2_K: 3.16, F16: 16 };
type Quantization = keyof typeof bits;

const gpu = (memoryGiB: number) => ({ model: "NVIDIA GeForce RTX", memoryGiB, computeCapability: "8.9" });
const host = (address: string, facts: object) => hostEntry.parse({ platform: "linux", address, ...facts });
const big = host("10.0.0.1", { memoryGiB: 64, gpus: [gpu(24)] });
const old = host("10.0.0.2", { memoryGiB: 32, gpus: [gpu(12)] });
const nas = host("10.0.0.3", { memoryGiB: 64, gpus: [] });

/** Choices of a model as its config.json describes it, in these quantizations. */
function choices(
  name: string,
  quantizations: readonly Quantization[],
  hosts: Record<string, HostEntry>,
  more: Partial<Choices> = {},
): Choices & { readonly reads: string[] } {
  const described = describe(name);
  if (described === undefined) throw new Error(`${name} is not described`);
  const facts = { ...describedModel(described, "Q4_K_M"), trainedContext: 131_072 };
  const of = (quantization: Quantization) =>
    quantization === "Q4_K_M" ? facts : requantized(facts, bits[quantization]);
  const reads: string[] = [];
  const own = bitsPerWeight(facts) ?? 0;
  return {
    repository: { id: "x/m-GGUF", revision: "0".repeat(40), files: [] },
    models: quantizations
      .map((quantization) => {
        const bytes =
          quantization === "Q4_K_M" ? facts.totalBytes : (facts.totalBytes * bits[quantization]) / own;
        return { quantization, files: [{ path: `m-${quantization}.gguf`, bytes, sha256: undefined }], bytes };
      })
      .sort((a, b) => b.bytes - a.bytes),
    hosts,
    taken: {},
    async read({ quantization }) {
      reads.push(quantization);
      return of(quantization as Quantization);
    },
    reads,
    ...more,
  };
}

const chosen = async (given: Choices) => {
  const { chosen } = await choose(given);
  return chosen && [chosen.model.quantization, chosen.hosts.join("+"), chosen.context];
};
const all = ["F16", "Q8_0", "Q6_K", "Q4_K_M", "Q2_K"] as const;

test("the largest quantization up to 8 bits that fits the machine with most GPU memory", async () => {
  expect(await chosen(choices("Llama-3.1-8B", all, { nas, old, big }))).toEqual(["Q8_0", "big", 32_768]);
  expect(await chosen(choices("Qwen2.5-Coder-32B", all, { nas, old, big }))).toEqual([
    "Q4_K_M",
    "big",
    16_384,
  ]);
});

test("what is larger than one machine goes to a group; without one that is enough, to the processor", async () => {
  expect(await chosen(choices("Llama-3.1-70B", ["Q2_K"], { old, big }))).toEqual(["Q2_K", "big+old", 16_384]);
  expect(await chosen(choices("Llama-3.1-70B", ["Q4_K_M"], { nas, old, big }))).toEqual([
    "Q4_K_M",
    "nas",
    32_768,
  ]);
});

test("on a processor smaller numbers come first, as each token reads all of them", async () => {
  expect(await chosen(choices("Llama-3.1-8B", all, { nas }))).toEqual(["Q4_K_M", "nas", 32_768]);
});

test("what services of the stack take is not free", async () => {
  const taken = { "big GPU 0": 20_000 };
  expect(await chosen(choices("Llama-3.1-8B", all, { old, big }, { taken }))).toEqual([
    "Q8_0",
    "old",
    16_384,
  ]);
});

test("a named machine is taken, and one that nobody looked at only where it is named", async () => {
  const unseen = host("10.0.0.4", { gpus: [{ model: "a card", pciId: "10de:2684" }] });
  expect(await chosen(choices("Llama-3.1-8B", all, { nas, old, big }, { host: "old" }))).toEqual([
    "Q8_0",
    "old",
    16_384,
  ]);
  expect(await chosen(choices("Llama-3.1-8B", all, { unseen }))).toBeUndefined();
  expect((await chosen(choices("Llama-3.1-8B", all, { unseen }, { host: "unseen" })))?.[1]).toBe("unseen");
});

test("nothing fits: all that was considered is shown with its numbers", async () => {
  const { considered, chosen } = await choose(choices("Qwen2.5-72B", ["Q8_0", "Q4_K_M"], { old }));
  expect(chosen).toBeUndefined();
  const text = consideredText(considered, chosen);
  expect(text).toMatch(/Q8_0 +7\d\.\d GB +old +8192 +7\d\.\d +11\.\d +does not fit/);
  expect(text.split("\n")).toHaveLength(4);
});

test("headers are read of one model and of what is chosen", async () => {
  const given = choices("Llama-3.1-8B", all, { nas, old, big });
  await choose(given);
  expect(given.reads).toEqual(["Q4_K_M", "Q8_0"]);
});
