import { beforeAll, expect, test } from "vitest";
import { components as allComponents, type ComponentsOf } from "#components/engine-components.ts";
import { engines as allEngines, type Engines } from "#components/engines.ts";
import { ConfigurationError, parseConfiguration } from "#stacks/config.ts";
import { needsOf } from "#stacks/pins.ts";
import { declareStack } from "#stacks/program.ts";
import { type Declared, declared } from "#tests/support/declared.ts";
import { toy } from "./config.ts";
import { Toy } from "./toy.ts";

// A second engine is its folder and these two lines.
const engines = { ...allEngines, toy } satisfies Engines;
const components: ComponentsOf<typeof engines> = { ...allComponents, toy: Toy };

// @ts-expect-error The compiler refuses a component beside the schema of another engine.
({ llamacpp: Toy, toy: Toy }) satisfies ComponentsOf<typeof engines>;

const hash = "0123456789abcdef".repeat(4);
const hosts = {
  rack1: { platform: "linux", address: "10.0.0.11" },
  rack2: { platform: "linux", address: "10.0.0.12" },
};
const model = { url: "http://files.lan/m", files: { "m.gguf": hash } };
const apiKey = "only-for-tests-0123";
const chat = { engine: "llamacpp", leader: "rack1", model, apiKey };
const doll = { engine: "toy", host: "rack1", model, apiKey, port: 8090, wheel: hash };

const read = (services: object, more: object = {}) =>
  parseConfiguration({ hosts, services, ...more }, { engines, stack: "home" });

function refused(services: object, more?: object): string[] {
  try {
    read(services, more);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

test.each<[string, object, string[]]>([
  ["a service that is right", {}, []],
  [
    "its own rule over the whole",
    { mode: "exact", batch: 4 },
    ["services.doll.batch: is only for `mode: fast`"],
  ],
  [
    "a host that is not there",
    { host: "rakc1" },
    ["services.doll.host: rakc1 is no host of gpuhost:hosts; did you mean rack1?"],
  ],
  [
    "a port of the other engine's service",
    { port: 8080 },
    [
      "services.doll.port: port 8080 on rack1 is taken by the API of chat (services.chat.port); choose another",
    ],
  ],
  [
    "no key",
    { apiKey: undefined },
    [
      "services.doll.apiKey: is missing, and the API would be open to everyone who reaches rack1; " +
        "set apiKey, or `listen: local`, or `open: true` if you mean it",
    ],
  ],
  [
    "what only it can judge",
    { wheel: undefined },
    ["services.doll.wheel: is no SHA-256; run: npm run pin toy 1.0 home"],
  ],
  [
    "a wrong key beside a port that is taken: both at once, though the whole has a rule of its own",
    { mode: "slow", statusPort: 8080 },
    [
      'services.doll.mode: must be one of "fast", "exact", is "slow"',
      "services.doll.statusPort: port 8080 on rack1 is taken by the API of chat (services.chat.port); choose another",
    ],
  ],
  [
    "another key of its own",
    { wheels: 1 },
    ["services.doll.wheels: is not a known key; did you mean wheel?"],
  ],
])("%s: the lines are right", (_what, changes, expected) => {
  expect(refused({ chat, doll: { ...doll, ...changes } })).toEqual(expected);
});

test("engines are told by their names where one is unknown", () => {
  expect(refused({ chat: { ...chat, engine: "toi" } })).toEqual([
    'services.chat.engine: must be one of "llamacpp", "vllm", "toy", is "toi"',
  ]);
});

test("its mirror and its held packages are keys and defaults of the stack", () => {
  const { mirrors, base } = read({ doll });
  expect(mirrors).toMatchObject({ toys: "https://toys.example", hub: "https://huggingface.co" });
  expect(base.heldPackages).toEqual(expect.arrayContaining(["nvidia-", "llama.cpp", "toy-"]));
  expect(refused({ doll }, { mirrors: { toy: "http://x" } })).toEqual([
    "mirrors.toy: is not a known key; did you mean toys?",
  ]);
});

let resources: Declared[];
let outputs: Record<string, unknown>;
beforeAll(async () => {
  const configuration = read({ chat, doll }, { mirrors: { toys: "http://mirror.lan/toys" } });
  resources = await declared(() => {
    outputs = declareStack(configuration, { engines, components });
  });
});
// biome-ignore lint/suspicious/noExplicitAny: tests look into any of them
const inputs = (name: string): any => resources.find((it) => it.name === name)?.inputs;

test("services of both engines are declared side by side", () => {
  const shown = resources.map(({ type, name }) => `${type.split(":").at(-1)} ${name}`);
  expect(shown).toEqual(
    expect.arrayContaining([
      "Llamacpp chat",
      "Toy doll",
      "ModelFiles doll-rack1-model",
      "Files doll-rack1-files",
      "SystemdService doll-rack1-server",
      "Check doll-rack1-check",
    ]),
  );
  expect(inputs("doll-rack1-server")).toMatchObject({
    name: "toy-doll.service",
    readiness: { kind: "completion", url: "http://127.0.0.1:8090", model: "doll" },
  });
  expect(inputs("doll-rack1-server").unit).toContain(
    "\nEnvironment=TOY_MODE=fast\nExecStart=toy 0.0.0.0 8090 ",
  );
  expect(outputs.services).toMatchObject({
    doll: { engine: "toy", url: "http://10.0.0.11:8090/v1", units: { rack1: ["toy-doll.service"] } },
  });
  expect(outputs).toHaveProperty("doll-apiKey");
});

test("firewall, needrestart and unattended-upgrades of a machine know what the second engine needs", () => {
  expect(inputs("rack1-firewall").ports).toEqual({
    "tcp/8080": { from: "any", comment: "chat: the API" },
    "tcp/8090": { from: "any", comment: "doll: the API" },
    "tcp/9400": { from: ["10.0.0.12"], comment: "doll: the status" },
  });
  const { files } = inputs("rack1-files");
  expect(files["/etc/needrestart/conf.d/gpu-hosts.conf"].content).toContain("qr(^toy-)");
  expect(files["/etc/apt/apt.conf.d/52gpu-hosts-unattended-upgrades"].content).toContain('"^toy-"');
});

test("what it pins is found with its version, fetched from its mirror and written below its service", async () => {
  const raw = { hosts, services: { chat, doll }, mirrors: { toys: "http://mirror.lan/toys" } };
  const [need, ...others] = await needsOf("toy", "1.1", raw, async () => true, engines);
  expect(others).toEqual([]);
  expect(need).toMatchObject({
    path: ["services", "doll"],
    where: "services.doll.version",
    files: [{ url: "http://mirror.lan/toys/toy-1.1.whl" }],
  });
  expect(need?.pins(() => hash)).toEqual([{ path: ["wheel"], value: hash }]);
});
