import { expect, test } from "vitest";
import { llamacpp } from "#components/llamacpp/config.ts";
import { ConfigurationError, parseConfiguration } from "./config.ts";

const sha = "a".repeat(64);
const revision = "0123456789abcdef0123456789abcdef01234567";
const linux = (address: string) => ({ platform: "linux", address });
const hosts = { rack1: linux("10.0.0.11"), rack2: linux("10.0.0.12") };
const model = { repo: "tiny/tiny-GGUF", revision, files: { "tiny.gguf": sha } };
const big = { engine: "llamacpp", leader: "rack1", workers: ["rack2"], model, apiKey: "only-for-tests-0123" };

/** The lines of the one error that a configuration is refused with. */
function refused(raw: { [key: string]: unknown }): string[] {
  try {
    parseConfiguration({ hosts, services: {}, ...raw }, { engines: { llamacpp } });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}
const service = (changes: object) => refused({ services: { big: { ...big, ...changes } } });

test("defaults are filled in", () => {
  const { services, mirrors, base } = parseConfiguration({ hosts, services: { big } });
  expect(services.big).toMatchObject({
    port: 8080,
    rpcPort: 50052,
    memberPort: 50062,
    gpuLayers: "auto",
    listen: "lan",
  });
  expect(mirrors.hub).toBe("https://huggingface.co");
  expect(base.heldPackages).toContain("nvidia-");
});

test("the same private address behind different jump hosts is two machines", () => {
  const inner = (jump: string) => ({ ...linux("192.168.1.10"), jump });
  expect(refused({ hosts: { ...hosts, one: inner("rack1"), two: inner("rack2") } })).toEqual([]);
  expect(refused({ hosts: { ...hosts, one: inner("rack1"), two: inner("rack1") } })).toEqual([
    "hosts.two.address: is the same machine as one; give a machine one name",
  ]);
});

test.each(["rack1", "ops@192.0.2.1", "ops@[fd00::1]:2222", ["rack1", "ops@inner.example:2200"], []])(
  "the jump %j is fine",
  (jump) => {
    expect(refused({ hosts: { ...hosts, rack2: { ...linux("10.0.0.12"), jump } } })).toEqual([]);
  },
);

test("an empty stack is fine", () => {
  expect(refused({ hosts: undefined, services: undefined })).toEqual([]);
});

test.each<[string, { [key: string]: unknown }, string[]]>([
  ["hosts that are a list", { hosts: [] }, ["hosts: must be a map, is a list"]],
  [
    "a misspelt key",
    { hosts: { rack1: { ...linux("10.0.0.11"), prot: 2222 } } },
    ["hosts.rack1.prot: is not a known key; did you mean port?"],
  ],
  [
    "an unknown key with nothing near",
    { mirrors: { debian: "http://x" } },
    ["mirrors.debian: is not a known key; known here: hub, nvidia, llamacpp"],
  ],
  [
    "a wrong type",
    { hosts: { rack1: { ...linux("10.0.0.11"), port: "22" } } },
    ["hosts.rack1.port: must be a number, is a text; write it without quotes"],
  ],
  [
    "a number where YAML needs quotes",
    { hosts: { rack1: { ...linux("10.0.0.11"), user: 1000 } } },
    ["hosts.rack1.user: must be a text, is a number; put it in quotes"],
  ],
  [
    "a missing key",
    { hosts: { rack1: { platform: "linux" } } },
    ["hosts.rack1.address: is missing: DNS name, IPv4 or IPv6 address that your machine reaches over SSH."],
  ],
  [
    "a wrong choice",
    { hosts: { rack1: { ...linux("10.0.0.11"), platform: "windows" } } },
    ['hosts.rack1.platform: must be "linux", is "windows"'],
  ],
  [
    "a bad host name",
    { hosts: { "Rack 1": linux("10.0.0.11") } },
    ['hosts["Rack 1"]: a host name is lower case letters, digits and inner hyphens'],
  ],
  [
    "credentials of a host that is not there",
    { credentials: { rack11: { sudoPassword: "x" } } },
    ["credentials.rack11: is no host of gpuhost:hosts; did you mean rack1?"],
  ],
  [
    "commands for a host that is not there",
    { base: { extraCommands: { nas: [] } } },
    ["base.extraCommands.nas: is no host of gpuhost:hosts; known here: rack1, rack2"],
  ],
  [
    "openings where they would not be made, or twice",
    {
      hosts: { rack1: linux("10.0.0.11"), rack2: { ...linux("10.0.0.12"), base: false } },
      services: { chat: { ...big, leader: "rack1", workers: [] } },
      base: { openings: { nas: [], rack1: [{ port: 22 }, { port: 8080 }], rack2: [{ port: 9000 }] } },
    },
    [
      "base.openings.nas: is no host of gpuhost:hosts; known here: rack1, rack2",
      "base.openings.rack2: rack2 has `base: false`; write this in the stack that has its base",
      "base.openings.rack1[0].port: port 22 on rack1 is taken by SSH (hosts.rack1.port); choose another",
      "base.openings.rack1[1].port: port 8080 on rack1 is taken by the API of chat (services.chat.port); choose another",
    ],
  ],
  [
    "an opening as the firewall would refuse it: a name as a source, other characters in its comment",
    {
      base: {
        openings: {
          rack1: [
            { port: 9000, from: ["rack2"] },
            { port: 9001, why: "Bob's test" },
          ],
        },
      },
    },
    [
      "base.openings.rack1[0].from[0]: is no address or network; names are not resolved here",
      "base.openings.rack1[1].why: must be at most 60 letters, digits, blanks and . , : / ( ) + -",
    ],
  ],
  [
    "two openings of one port, but not of one number in TCP and UDP",
    {
      base: {
        openings: { rack1: [{ port: 9000 }, { port: 9000, protocol: "udp" }, { port: 9000, why: "again" }] },
      },
    },
    [
      "base.openings.rack1[2].port: port 9000 on rack1 is taken by base.openings.rack1[0].port; choose another",
    ],
  ],
  [
    "an engine that only JavaScript's own objects have",
    { services: { big: { ...big, engine: "constructor", port: 22 } } },
    ['services.big.engine: must be "llamacpp", is "constructor"'],
  ],
  [
    "a machine's old and new name in the run that renames it",
    {
      hosts: { rack1: { ...linux("10.0.0.11"), retire: true }, one: linux("10.0.0.11") },
      services: { chat: { ...big, leader: "rack1", workers: [] } },
    },
    [
      "services.chat.leader: rack1 is being retired; take it out of the service, or take out hosts.rack1.retire",
    ],
  ],
  [
    "one machine under two names",
    { hosts: { rack1: linux("10.0.0.11"), one: linux("10.0.0.11") } },
    ["hosts.one.address: is the same machine as rack1; give a machine one name"],
  ],
  [
    "an address with more than the address in it",
    { hosts: { rack1: linux("ops@10.0.0.11") } },
    ["hosts.rack1.address: must be a name or an address alone; user and port have keys of their own"],
  ],
  [
    "an address that the ssh command would take for an option",
    { hosts: { rack1: linux("-oProxyCommand=x") } },
    ["hosts.rack1.address: must be a name or an address alone; user and port have keys of their own"],
  ],
  [
    "a jump host that is neither a host nor a login",
    { hosts: { ...hosts, rack2: { ...linux("10.0.0.12"), jump: "10.0.0.1" } } },
    ["hosts.rack2.jump: must be the name of a host of gpuhost:hosts, or user@address or user@address:port"],
  ],
  [
    "a bad login in a list of jump hosts",
    { hosts: { ...hosts, rack2: { ...linux("10.0.0.12"), jump: ["rack1", "ops@10.0.0.1:99999"] } } },
    [
      "hosts.rack2.jump[1]: must be the name of a host of gpuhost:hosts, or user@address or user@address:port",
    ],
  ],
  [
    "a jump host that is not there",
    { hosts: { rack1: { ...linux("10.0.0.11"), jump: "bastion" } } },
    [
      "hosts.rack1.jump: bastion is no host of gpuhost:hosts; a machine that is not in it is written user@address",
    ],
  ],
  [
    "jump hosts in a circle",
    {
      hosts: {
        rack1: { ...linux("10.0.0.11"), jump: "rack2" },
        rack2: { ...linux("10.0.0.12"), jump: ["rack3", "ops@10.1.0.1"] },
        rack3: { ...linux("10.0.0.13"), jump: "rack1" },
        rack4: { ...linux("10.0.0.14"), jump: "rack3" },
      },
    },
    [
      "hosts.rack1.jump: goes in a circle: rack1 → rack2 → rack3 → rack1",
      "hosts.rack2.jump: goes in a circle: rack2 → rack3 → rack1 → rack2",
      "hosts.rack3.jump: goes in a circle: rack3 → rack1 → rack2 → rack3",
    ],
  ],
  [
    "a host that is its own jump host",
    { hosts: { rack1: { ...linux("10.0.0.11"), jump: "rack1" } } },
    ["hosts.rack1.jump: goes in a circle: rack1 → rack1"],
  ],
  [
    "a host of the inventory behind another hop",
    { hosts: { ...hosts, rack3: { ...linux("10.0.0.13"), jump: ["rack1", "rack2"] } } },
    [
      "hosts.rack3.jump: rack2 can only stand first, as hosts.rack2.jump says how it is reached; give it the jump rack1 there",
    ],
  ],
  [
    "a jump host that is gone",
    {
      hosts: {
        rack1: { ...linux("10.0.0.11"), retire: "gone" },
        rack2: { ...linux("10.0.0.12"), jump: "rack1" },
      },
    },
    ["hosts.rack2.jump: rack1 is gone, as hosts.rack1.retire says"],
  ],
  [
    "extra commands on a host behind another",
    {
      hosts: { ...hosts, rack2: { ...linux("10.0.0.12"), jump: "rack1" } },
      base: { extraCommands: { rack2: [] } },
    },
    [
      "base.extraCommands.rack2: rack2 is reached through a jump host (hosts.rack2.jump), which extra commands cannot do; take them out",
    ],
  ],
  [
    "a service with a name that no unit can have",
    { services: { "Big!": big } },
    [`services["Big!"]: a service's name is up to 40 lower case letters, digits and inner hyphens`],
  ],
  [
    "an unknown engine",
    { services: { big: { engine: "lama" } } },
    ['services.big.engine: must be "llamacpp", is "lama"'],
  ],
  ["no engine", { services: { big: {} } }, ['services.big.engine: is missing; it must be "llamacpp"']],
  [
    "a managed driver without the key of its repository, that the GPU cannot have",
    {
      hosts: {
        rack1: {
          ...linux("10.0.0.11"),
          release: "Debian GNU/Linux 13 (trixie)",
          gpus: [{ model: "RTX 5090", pciId: "10de:2b85" }],
          nvidia: { driver: "managed", modules: "proprietary" },
        },
      },
    },
    [
      expect.stringMatching(/^hosts\.rack1\.nvidia\.driver: managed needs base\.nvidiaKey/),
      "hosts.rack1.nvidia: its GPUs (RTX 5090) need the open modules; write `modules: auto`",
    ],
  ],
])("%s is refused", (_what, raw, expected) => {
  expect(refused(raw)).toEqual(expected);
});

test.each<[string, object, string[]]>([
  [
    "a worker that is no host",
    { workers: ["rakc2"] },
    ["services.big.workers[0]: rakc2 is no host of gpuhost:hosts; did you mean rack2?"],
  ],
  [
    "a worker that is listed twice",
    { workers: ["rack2", "rack2"] },
    ["services.big.workers[1]: rack2 is listed already as workers[0]; a machine has one part in a service"],
  ],
  [
    "a leader among its workers",
    { workers: ["rack1"] },
    ["services.big.workers[0]: rack1 is the leader already; a machine has one part in a service"],
  ],
  ["a port out of range", { port: 70000 }, ["services.big.port: must be at most 65535, is 70000"]],
  ["a port that is a fraction", { port: 80.5 }, ["services.big.port: must be a whole number, is 80.5"]],
  [
    "a context that is a fraction",
    { context: 8080.5 },
    ["services.big.context: must be a whole number, is 8080.5"],
  ],
  [
    "a file name with a blank",
    { model: { ...model, files: { "my model.gguf": sha } } },
    [
      'services.big.model.files["my model.gguf"]: must be a file name of ASCII letters, digits and _ . + @ - that does not begin with a dot; folders may stand before it, each with its /',
    ],
  ],
  [
    "a word for layers",
    { gpuLayers: "most" },
    ['services.big.gpuLayers: must be a number or "auto" or "all"'],
  ],
  [
    "a branch as revision",
    { model: { ...model, revision: "main" } },
    ["services.big.model.revision: must be a full commit hash of 40 hex digits, because a branch may move"],
  ],
  [
    "a repository without revision",
    { model: { repo: "a/b", files: model.files } },
    ["services.big.model.revision: is missing: the full commit hash of the repository"],
  ],
  [
    "a hub model and an address at once",
    { model: { ...model, url: "http://x/y" } },
    ["services.big.model.url: stands beside repo or revision; write either the hub's two or url"],
  ],
  [
    "a hash that is none",
    { model: { ...model, files: { "tiny.gguf": "beef" } } },
    ['services.big.model.files["tiny.gguf"]: must be a SHA-256 of 64 lower case hex digits'],
  ],
  ["no file", { model: { ...model, files: {} } }, ["services.big.model.files: needs at least one file"]],
  [
    "the SSH port as the API's",
    { port: 22 },
    ["services.big.port: port 22 on rack1 is taken by SSH (hosts.rack1.port); choose another"],
  ],
  [
    "two ports of a worker in one",
    { memberPort: 50052 },
    [
      "services.big.memberPort: port 50052 on rack2 is taken by the RPC worker of big (services.big.rpcPort); choose another",
    ],
  ],
  [
    "a LAN service without a key",
    { apiKey: undefined },
    [
      "services.big.apiKey: is missing, and the API would be open to everyone who reaches rack1; " +
        "set apiKey, or `listen: local`, or `open: true` if you mean it",
    ],
  ],
  ["a local service without a key", { apiKey: undefined, listen: "local" }, []],
  ["an open service", { apiKey: undefined, open: true }, []],
])("%s: the lines are right", (_what, changes, expected) => {
  expect(service(changes)).toEqual(expected);
});

test("a key never shows in a line", () => {
  const lines = service({ apiKey: "tooshort secret" });
  expect(lines).toHaveLength(2);
  expect(lines.join()).not.toContain("secret");
});

test("all problems come at once, also across hosts of a service that is wrong in itself", () => {
  const services = {
    big: { ...big, workers: ["rakc2"], port: "x" },
    small: { ...big, workers: [], leader: "rack2" },
  };
  expect(refused({ hosts: { ...hosts, Bad: {} }, services })).toEqual([
    "hosts.Bad: a host name is lower case letters, digits and inner hyphens",
    'hosts.Bad.platform: is missing; it must be "linux"',
    "hosts.Bad.address: is missing: DNS name, IPv4 or IPv6 address that your machine reaches over SSH.",
    "services.big.port: must be a number, is a text; write it without quotes",
    "services.big.workers[0]: rakc2 is no host of gpuhost:hosts; did you mean rack2?",
  ]);
});

test("a key that is wrong counts for nothing else, not as its default either", () => {
  const alone = { ...big, workers: [] };
  const wrong = { ...alone, port: "x", listen: "wan", apiKey: undefined, memberPort: 0 };
  expect(refused({ services: { wrong, small: alone } })).toEqual([
    "services.wrong.port: must be a number, is a text; write it without quotes",
    'services.wrong.listen: must be one of "lan", "local", is "wan"',
    "services.wrong.memberPort: must be at least 1, is 0",
  ]);
});

test("a service called as something that every object of JavaScript has is refused, and judged like any other", () => {
  expect(refused({ services: { constructor: { ...big, port: 22 } } })).toEqual([
    "services.constructor: is a word that programs keep for themselves; choose another name",
    "services.constructor.port: port 22 on rack1 is taken by SSH (hosts.rack1.port); choose another",
  ]);
});

test("services on one host that clash in port or version are refused", () => {
  const build = { packages: { "llama.cpp": "1:0.7.0" } };
  const services = { big, small: { ...big, leader: "rack1", workers: [], build } };
  expect(refused({ services })).toEqual([
    "services.small.port: port 8080 on rack1 is taken by the API of big (services.big.port); choose another",
    'services.small.build.packages["llama.cpp"]: rack1 would get 1:0.7.0, but big asks for any there; write the same in both',
  ]);
});

test("a retired host serves nothing", () => {
  expect(
    refused({ hosts: { ...hosts, rack2: { ...hosts.rack2, retire: true } }, services: { big } }),
  ).toEqual([
    "services.big.workers[0]: rack2 is being retired; take it out of the service, or take out hosts.rack2.retire",
  ]);
});

test("the machines of a group need IPv4 addresses", () => {
  const named = { ...hosts, rack2: linux("rack2.example.net") };
  expect(refused({ hosts: named, services: { big } })).toEqual([
    "services.big.workers[0]: the machines of a group know each other by IPv4 address, and rack2 has rack2.example.net; set hosts.rack2.groupAddress",
  ]);
  const cured = { ...named, rack2: { ...named.rack2, groupAddress: "10.0.0.12" } };
  expect(refused({ hosts: cured, services: { big } })).toEqual([]);
});

test("a key of ours that is misspelt or in the wrong namespace is refused, others' keys are not", () => {
  const raw = { hosts, services: { big } };
  const keys = ["gpuhost:hosts", "gpu-hosts:servces", "gpuhost:services", "aws:region", "gpu-hosts:base"];
  expect(() => parseConfiguration(raw, { keys })).toThrow(
    "gpu-hosts:servces: is not a known key; did you mean gpu-hosts:services?\n" +
      "  gpuhost:services: belongs to gpu-hosts:services; write it there",
  );
  expect(parseConfiguration(raw, { keys: ["gpuhost:hosts", "aws:region"] }).services).toHaveProperty("big");
});

const archive = "llama-b2-bin-ubuntu-x64.tar.gz";
const release = (changes: object = {}) => ({
  build: { release: { tag: "b2", variant: "cpu", archives: { [archive]: "0123".repeat(16) }, ...changes } },
});
const source = (changes: object = {}) => ({
  build: { source: { tag: "b2", variant: "cpu", sha256: "0123".repeat(16), ...changes } },
});
const pin = "run: npm run pin llamacpp b2 STACK";

test.each<[string, object, string[]]>([
  ["a pinned release", release(), []],
  ["a pinned source", source(), []],
  [
    "two ways to install",
    { build: { packages: { "llama.cpp": "any" }, ...release().build } },
    ["services.big.build: names packages and release; a service has one build"],
  ],
  ["no way to install", { build: {} }, ["services.big.build: needs one of packages, release, source"]],
  [
    "a build that is pinned in part",
    { build: { packages: { "llama.cpp": "1:0.7.0", libggml0: "any" } } },
    [
      "services.big.build.packages.libggml0: is `any` beside exact versions, so machines could run different builds; write its version too",
    ],
  ],
  [
    "a version in place of a tag",
    release({ tag: "v0.7.0" }),
    [
      "services.big.build.release.tag: must be a build tag, such as b11669: the project's programs are published under those",
    ],
  ],
  [
    "a release that nobody pinned",
    release({ archives: {} }),
    [
      `services.big.build.release.archives: holds no archive of b2 for cpu on x64, which rack1 needs; ${pin}`,
      `services.big.build.release.archives: holds no archive of b2 for cpu on x64, which rack2 needs; ${pin}`,
    ],
  ],
  [
    "another tag than the pinned one",
    release({ tag: "b3" }),
    [
      "services.big.build.release.archives: holds no archive of b3 for cpu on x64, which rack1 needs; run: npm run pin llamacpp b3 STACK",
      "services.big.build.release.archives: holds no archive of b3 for cpu on x64, which rack2 needs; run: npm run pin llamacpp b3 STACK",
    ],
  ],
  [
    "a placeholder for a hash",
    release({ archives: { [archive]: "PLACEHOLDER" } }),
    [`services.big.build.release.archives["${archive}"]: is no SHA-256; ${pin}`],
  ],
  [
    "zeroes for a hash",
    release({ archives: { [archive]: "0".repeat(64) } }),
    [`services.big.build.release.archives["${archive}"]: is no SHA-256; ${pin}`],
  ],
  [
    "a source that nobody pinned",
    source({ sha256: undefined }),
    [`services.big.build.source.sha256: is no SHA-256; ${pin}`],
  ],
  [
    "a variant for a machine of no part",
    release({ variants: { rack3: "cpu" } }),
    ["services.big.build.release.variants.rack3: is no machine of this service; they are rack1, rack2"],
  ],
  [
    "auto with machines that nobody looked at",
    release({ variant: "auto", variants: { rack2: "cpu" } }),
    [
      "services.big.build.release.variant: auto cannot choose for rack1: nothing is recorded of its GPUs; run: npm run host refresh STACK rack1; or name the variant",
    ],
  ],
])("%s: the lines are right", (_what, changes, expected) => {
  expect(service(changes)).toEqual(expected);
});

test("auto goes by what the inventory records, and a variant that a driver cannot run is refused", () => {
  const gpus = [{ model: "NVIDIA L4", computeCapability: "8.9" }];
  const known = {
    rack1: { ...hosts.rack1, gpus: [] },
    rack2: { ...hosts.rack2, gpus, driver: "570.172.08" },
  };
  const of = (changes: object) =>
    refused({ hosts: known, services: { big: { ...big, ...release({ variant: "auto", ...changes }) } } });
  expect(of({})).toEqual([
    `services.big.build.release.archives: holds no archive of b2 for cuda-12 on x64, which rack2 needs; ${pin}`,
  ]);
  expect(of({ variants: { rack2: "cuda-13.4" } })).toEqual([
    "services.big.build.release.variants.rack2: does not run on rack2: CUDA 13 needs driver 580 or newer, and it has 570.172.08",
  ]);
  expect(of({ variants: { rack2: "cpu" } })).toEqual([]);
});
