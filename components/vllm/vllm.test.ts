import { expect, test } from "vitest";
import { declared } from "#tests/support/declared.ts";
import { vllm } from "./config.ts";
import { renderServer } from "./render.ts";
import { schema } from "./schema.ts";
import { Vllm } from "./vllm.ts";

const hash = "0123456789abcdef".repeat(4);
const written = {
  engine: "vllm",
  host: "rack1",
  model: {
    repo: "lab/tiny",
    revision: "0123456789abcdef0123456789abcdef01234567",
    files: { "config.json": hash, "model.safetensors": hash },
  },
  apiKey: "only-for-tests-0123",
};
const gpu = { computeCapability: "8.9" };
const machine = { address: "10.0.0.11", architecture: "x86_64", gpus: [gpu], driver: "580.95.05" };
const parse = (change: object = {}) => schema.parse({ ...written, ...change });
const refused = (change: object) =>
  schema
    .safeParse({ ...written, ...change })
    .error?.issues.map(({ path, message }) => `${path.join(".")} ${message}`);
const problems = (change: object = {}, record: object = {}) =>
  vllm
    .problems(parse(change), { stack: "home", machines: { rack1: { ...machine, ...record } } })
    .map(({ path, text }) => `${path.join(".")}: ${text}`);

test("a service on a machine that is right has no problem, with the lock that comes with gpu-hosts", () => {
  for (const python of ["3.11", "3.12", "3.13"]) expect(problems({ python })).toEqual([]);
});

test.each<[string, object, object, RegExp]>([
  [
    "driver too old for any wheel",
    {},
    { driver: "470.256.02" },
    /^variant: auto cannot choose for rack1: cu130: CUDA 13 needs driver 580/,
  ],
  [
    "driver too old for the named wheel",
    { variant: "cu130" },
    { driver: "570.1" },
    /^variant: does not run on rack1: CUDA 13 needs driver 580 or newer, and it has 570\.1/,
  ],
  [
    "compute capability too low",
    { variant: "cu130" },
    { gpus: [{ computeCapability: "6.1" }] },
    /^variant: does not run on rack1: it has no code for .*6\.1/,
  ],
  [
    "no GPU at all",
    { variant: "cu130" },
    { gpus: [] },
    /^variant: does not run on rack1: it has no NVIDIA GPU/,
  ],
  [
    "a machine nobody looked at",
    {},
    { gpus: undefined },
    /nothing is recorded of its GPUs; run: npm run host refresh home rack1; or name the variant/,
  ],
  [
    "a driver for CUDA 12 alone",
    {},
    { driver: "575.64" },
    /^lock: is missing: gpu-hosts has no lock of vLLM 0\.32\.0 for cu129 and Python 3\.12; make one/,
  ],
  ["a version without lock", { version: "0.31.0" }, {}, /^lock: is missing: .*0\.31\.0 for cu130/],
  [
    "another processor",
    {},
    { architecture: "aarch64" },
    /^lock: is missing: the locks of gpu-hosts are for x86_64/,
  ],
  ["a lock that is not there", { lock: "nowhere.txt" }, {}, /^lock: nowhere\.txt cannot be read/],
  [
    "a lock that is none",
    { lock: "package.json" },
    {},
    /^lock: package\.json must name one version of each package/,
  ],
  ["more GPUs than there are", { tensorParallel: 2 }, {}, /^tensorParallel: needs 2 GPUs .* and rack1 has 1/],
  ["memory for a processor's cache on a GPU", { cpuCacheGiB: 4 }, {}, /^cpuCacheGiB: is for `variant: cpu`/],
  [
    "a model of llama.cpp",
    { model: { ...written.model, files: { "m.gguf": hash } } },
    {},
    /^model\.files: are GGUF, which llama\.cpp serves/,
  ],
  [
    "weights alone",
    { model: { ...written.model, files: { "m.safetensors": hash } } },
    {},
    /config\.json is missing/,
  ],
])("%s is told", (_what, change, record, expected) => {
  const told = problems(change, record);
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(expected);
});

test.each<[object, RegExp]>([
  [{ memoryShare: 1.2 }, /^memoryShare /],
  [{ memoryShare: 0 }, /^memoryShare /],
  [{ maxModelLen: 0 }, /^maxModelLen /],
  [{ tensorParallel: 0 }, /^tensorParallel /],
  [{ extraArgs: ["--port", "1"] }, /^extraArgs\.0 is set by the key port/],
  [{ extraArgs: ["--max_model_len=9"] }, /^extraArgs\.0 is set by the key maxModelLen/],
  [{ extraArgs: ["-tp", "2"] }, /^extraArgs\.0 is set by the key tensorParallel/],
  [{ extraArgs: ["--api-key", "x"] }, /^extraArgs\.0 would be public on the machine; write the key `apiKey`/],
  [{ extraArgs: ["8"] }, /^extraArgs\.0 belongs to no argument/],
  [{ extraArgs: ["--seed", "8", "9"] }, /^extraArgs\.2 belongs to no argument/],
])("%j is refused", (change, expected) => {
  expect(refused(change)?.[0]).toMatch(expected);
});

test("its own words go to vLLM as they are", () => {
  const service = parse({
    extraArgs: ["--enable-prefix-caching", "--seed", "-1", "--max-num-seqs=8"],
    quantization: "awq_marlin",
    kvCacheDtype: "fp8",
    maxModelLen: "auto",
    memoryShare: 0.8,
    alias: "tiny",
    listen: "local",
  });
  const parts = {
    name: "chat",
    variant: "cu130",
    venv: "/v/1",
    model: "/m/1",
    address: "10.0.0.11",
  } as const;
  const text = renderServer(service, parts);
  expect(text).toContain(
    "\nExecStart=/v/1/bin/vllm serve /m/1 --host 127.0.0.1 --port 8080 --served-model-name tiny --tensor-parallel-size 1 --pipeline-parallel-size 1 --quantization awq_marlin --kv-cache-dtype fp8 --max-model-len auto --gpu-memory-utilization 0.8 --enable-prefix-caching --seed -1 --max-num-seqs=8\n",
  );
  expect(text).toContain("\nEnvironment=HF_HUB_OFFLINE=1\n");
  expect(text).not.toContain("MemoryDenyWriteExecute");
  expect(text).not.toContain("only-for-tests");
});

test("packages, uv and model are there before the unit, and the key is a secret", async () => {
  const host = { name: "rack1", address: "10.0.0.11", groupAddress: "10.0.0.11", record: machine, base: [] };
  const mirrors = {
    hub: "http://hub.lan",
    pypi: "http://pypi.lan/simple",
    pypiFiles: "http://files.lan/",
    pytorch: "http://torch.lan",
    pythonBuilds: "http://python.lan",
  };
  const service = parse();
  const resources = await declared(() => new Vllm("chat", { service, hosts: { rack1: host }, mirrors }));
  const named = (name: string) => resources.find((resource) => resource.name === `chat-rack1-${name}`);
  expect(named("server")?.dependsOn).toEqual(
    expect.arrayContaining(["chat-rack1-environment", "chat-rack1-model", "chat-rack1-files"]),
  );
  expect(named("environment")?.dependsOn).toEqual(["chat-rack1-libraries", "chat-rack1-uv"]);
  expect(named("environment")?.inputs).toMatchObject({
    python: "3.12",
    indexes: ["http://pypi.lan/simple"],
    builds: "http://python.lan",
  });
  expect(named("uv")?.inputs.url).toMatch(/^http:\/\/files\.lan\/packages\/.*\/uv-[\d.]+-.*x86_64\.whl$/);
  expect(named("files")?.secrets).toEqual(["files"]);
  expect(JSON.stringify(named("server")?.inputs.unit)).not.toContain("only-for-tests");
});
