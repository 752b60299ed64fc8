import { expect, test } from "vitest";
import {
  archivesOf,
  type Machine,
  pickArchives,
  releaseUrl,
  suitableVariant,
  variantProblem,
} from "./release.ts";

const machine = (changes: Partial<Machine> = {}): Machine => ({ arch: "x64", gpus: [], ...changes });
const nvidia = (driver?: string, ...capabilities: string[]) =>
  machine({ gpus: capabilities.map((computeCapability) => ({ computeCapability })), driver });

test.each<[string, Machine, string]>([
  ["no GPU", machine(), "cpu"],
  ["driver 580", nvidia("580.95.05", "8.9"), "cuda-13"],
  ["driver 615", nvidia("615.71.09", "12.0"), "cuda-13"],
  ["driver 579", nvidia("579.99", "8.9"), "cuda-12"],
  ["driver 525", nvidia("525.60.13", "8.0"), "cuda-12"],
  ["a GPU that CUDA 13 has left behind", nvidia("580.95.05", "6.1"), "cuda-12"],
  ["such a GPU beside a new one", nvidia("580.95.05", "8.9", "7.0"), "cuda-12"],
  ["a GPU whose capability nobody told", machine({ gpus: [{}], driver: "590.1" }), "cuda-13"],
])("%s: the suitable variant is chosen", (_what, its, variant) => {
  expect(suitableVariant(its)).toEqual({ variant });
});

test.each<[string, Machine, RegExp]>([
  ["nobody has looked", { arch: "x64" }, /nothing is recorded/],
  ["no driver", nvidia(undefined, "8.9"), /no driver/],
  ["an old driver", nvidia("470.256.02", "8.0"), /driver 470.256.02 .*too old/],
  ["an old GPU", nvidia("580.1", "3.5"), /too old/],
])("%s: none is guessed", (_what, its, why) => {
  expect(suitableVariant(its)).toEqual({ unclear: expect.stringMatching(why) });
});

test("a named variant is refused only for a driver that is known to be too old", () => {
  expect(variantProblem("cuda-13.4", nvidia("570.1", "8.9"))).toBe(
    "CUDA 13 needs driver 580 or newer, and it has 570.1",
  );
  for (const its of [nvidia("580.1", "8.9"), nvidia(undefined, "8.9"), machine()])
    expect(variantProblem("cuda-13.4", its)).toBeUndefined();
  expect(variantProblem("vulkan", nvidia("470.1", "8.9"))).toBeUndefined();
});

// Names as release b11158 has them.
const release =
  `cudart-llama-b11158-bin-ubuntu-cuda-12.8-x64.tar.gz cudart-llama-b11158-bin-ubuntu-cuda-13.4-arm64.tar.gz
cudart-llama-b11158-bin-ubuntu-cuda-13.4-x64.tar.gz llama-b11158-bin-ubuntu-arm64.tar.gz
llama-b11158-bin-ubuntu-cuda-12.8-x64.tar.gz llama-b11158-bin-ubuntu-cuda-13.4-arm64.tar.gz
llama-b11158-bin-ubuntu-cuda-13.4-x64.tar.gz llama-b11158-bin-ubuntu-vulkan-arm64.tar.gz
llama-b11158-bin-ubuntu-vulkan-x64.tar.gz llama-b11158-bin-ubuntu-x64.tar.gz`.split(/\s+/);
const has = (name: string) => release.includes(name);

test.each<[string, "x64" | "arm64", string, string?]>([
  ["cpu", "x64", "llama-b11158-bin-ubuntu-x64.tar.gz"],
  ["cpu", "arm64", "llama-b11158-bin-ubuntu-arm64.tar.gz"],
  ["vulkan", "x64", "llama-b11158-bin-ubuntu-vulkan-x64.tar.gz"],
  [
    "cuda-12",
    "x64",
    "llama-b11158-bin-ubuntu-cuda-12.8-x64.tar.gz",
    "cudart-llama-b11158-bin-ubuntu-cuda-12.8-x64.tar.gz",
  ],
  [
    "cuda-13",
    "arm64",
    "llama-b11158-bin-ubuntu-cuda-13.4-arm64.tar.gz",
    "cudart-llama-b11158-bin-ubuntu-cuda-13.4-arm64.tar.gz",
  ],
])("%s on %s is %s", (variant, arch, programs, runtime) => {
  expect(pickArchives("b11158", variant, arch, has)).toEqual({ programs, ...(runtime ? { runtime } : {}) });
});

test("the newest of a CUDA generation is taken, with its own runtime only", () => {
  const names = ["13.3", "13.4"].map((cuda) => archivesOf("b2", `cuda-${cuda}`, "x64"));
  const all = names.flatMap(({ programs, runtime = "" }) => [programs, runtime]);
  expect(pickArchives("b2", "cuda-13", "x64", (name) => all.includes(name))).toEqual(names[1]);
  const withoutRuntime = all.filter((name) => name !== names[1]?.runtime);
  expect(pickArchives("b2", "cuda-13", "x64", (name) => withoutRuntime.includes(name))).toEqual(names[0]);
});

test("what a release does not have is not picked", () => {
  expect(pickArchives("b11158", "cuda-12", "arm64", has)).toBeUndefined();
  expect(pickArchives("b11159", "cpu", "x64", has)).toBeUndefined();
});

test("a mirror may end in a slash", () => {
  for (const project of ["http://mirror.lan/llama.cpp", "http://mirror.lan/llama.cpp/"])
    expect(releaseUrl(project, "b1", "x.tar.gz")).toBe(
      "http://mirror.lan/llama.cpp/releases/download/b1/x.tar.gz",
    );
});
