import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { engines } from "#components/engines.ts";
import { type HostEntry, readInventory } from "#inventory/inventory.ts";
import { problemLines } from "#inventory/problems.ts";
import { ConfigurationError, parseConfiguration } from "#stacks/config.ts";
import { type Configuration, configurationSchema, type RawConfiguration } from "#stacks/schema.ts";
import { createWorkspace } from "#tests/support/workspace.ts";
import { hostileTexts } from "./hostile-texts.ts";
import { textPlaces } from "./schema-walk.ts";
import { curlGets, execWords, heldByApt, type Landed, land, readBySsh, sshCall } from "./sinks.ts";

const sha = "0123".repeat(16);
const key = "only-for-tests-0123";
const revision = "0123456789abcdef0123456789abcdef01234567";

/** A configuration with something at every place where text goes in. A function, as each attempt changes one. */
const whole = () => ({
  hosts: {
    alpha: {
      ...{
        platform: "linux",
        address: "10.0.0.11",
        user: "ops",
        sshConfig: false,
        groupAddress: "10.1.0.11",
      },
      ...{ identityFile: "/keys/a", takeOver: ["old/prod"], release: "Debian", architecture: "x86_64" },
      ...{
        driver: "580.1",
        gpus: [{ model: "A", computeCapability: "8.9", uuid: "GPU-1", pciId: "10de:1" }],
      },
    },
    beta: { platform: "linux", address: "10.0.0.12", sshConfig: false, jump: ["ops@10.0.0.1"] },
    gamma: { platform: "linux", address: "10.0.0.13", hostKey: `SHA256:${"a".repeat(43)}`, retire: true },
  },
  credentials: { alpha: { privateKey: "k", passphrase: "p", sudoPassword: "s" } },
  services: {
    chat: {
      engine: "llamacpp",
      leader: "alpha",
      workers: ["beta"],
      model: { repo: "a/b", revision, token: "hf_0123", files: { "m.gguf": sha } },
      ...{ alias: "chat", apiKey: key, listen: "lan", gpuLayers: "auto" },
      ...{ extraArgs: ["--x"], workerArgs: ["--y"], build: { packages: { "llama.cpp": "1.0" } } },
    },
    rel: {
      ...{ engine: "llamacpp", leader: "alpha", port: 8081, apiKey: key },
      model: { url: "http://models/x", files: { "m.gguf": sha } },
      build: {
        release: {
          tag: "b2",
          variant: "cpu",
          variants: { alpha: "cpu" },
          archives: { "llama-b2-bin-ubuntu-x64.tar.gz": sha },
        },
      },
    },
    src: {
      ...{ engine: "llamacpp", leader: "alpha", port: 8082, apiKey: key },
      model: { repo: "a/b", revision, files: { "m.gguf": sha } },
      build: {
        source: {
          ...{
            tag: "b2",
            url: "http://source/x.tar.gz",
            sha256: sha,
            variant: "cuda",
            variants: { alpha: "cuda" },
          },
          ...{ cudaArchitectures: ["89"], cmake: ["-DX=1"] },
        },
      },
    },
  },
  mirrors: { hub: "http://hub", llamacpp: "http://project" },
  base: {
    packages: ["htop"],
    heldPackages: ["nvidia-"],
    openings: { alpha: [{ port: 9000, protocol: "tcp", from: ["10.0.0.0/8"], why: "why" }] },
    extraCommands: {
      alpha: [{ name: "one", create: "true", update: "true", delete: "true", triggers: ["1"] }],
    },
  },
});

const inputsOf = ({ resources }: Landed, name: string) => {
  const found = resources.find((one) => one.name === name);
  if (!found) throw new Error(`${name} was not declared`);
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks for is in there or is undefined
  return found.inputs as any;
};
const command = (landed: Landed) => inputsOf(landed, "alpha-one");
const behind = (words: readonly string[], option: string) => words[words.indexOf(option) + 1];
const serverWords = (landed: Landed, of = "chat") => execWords(inputsOf(landed, `${of}-alpha-server`).unit);
const withSsh = existsSync("/usr/bin/ssh");

/** Kept as it is and shown, and nothing is declared of it. */
const kept = (...path: (string | number)[]) => ({
  at: path,
  declares: false,
  sink: ({ configuration }: Landed) =>
    // biome-ignore lint/suspicious/noExplicitAny: a path through a configuration
    path.reduce((at: any, part) => at[part], configuration),
});
/** A choice among words of ours: no other text is accepted. */
const choice = (...path: (string | number)[]) => ({ at: path, sink: undefined });

interface Sink {
  /** Where in {@link whole} the text goes; for the key of a map, the key that it replaces. */
  readonly at: readonly (string | number)[];
  /** What arrives where the value lands, given the text. */
  readonly sink: ((landed: Landed, text: string) => unknown) | undefined;
  /** Default: what it arrives in is declared. */
  readonly declares?: boolean;
  /** Where its refusal may be told beside its own path. */
  readonly toldAt?: readonly (string | number)[];
  /** What ought to arrive, where that is more than the text. */
  readonly whole?: (text: string) => unknown;
}

const chat = (...path: (string | number)[]) => ["services", "chat", ...path];
const rel = (...path: (string | number)[]) => ["services", "rel", "build", "release", ...path];
const src = (...path: (string | number)[]) => ["services", "src", "build", "source", ...path];
const opening = (...path: (string | number)[]) => ["base", "openings", "alpha", 0, ...path];
const extra = (...path: (string | number)[]) => ["base", "extraCommands", "alpha", 0, ...path];
const host = (...path: (string | number)[]) => ["hosts", "alpha", ...path];

/** Where each text of a stack file ends up. A new place in the schema needs its line here. */
const sinks: Readonly<Record<string, Sink>> = {
  "hosts.* key": { at: ["hosts", "alpha"], sink: (all, text) => inputsOf(all, `${text}-files`).host },
  "hosts.*.platform": choice("hosts", "alpha", "platform"),
  "hosts.*.address": {
    at: host("address"),
    sink: (all) => [
      sshCall(all.configuration, "alpha").args.at(-1),
      command(all).connection.host,
      new URL(curlGets(all.curls.chat ?? "")[0] ?? "").hostname.replaceAll(/[[\]]/g, ""),
      ...(withSsh ? [readBySsh(all.configuration.hosts.alpha as HostEntry).hostname] : []),
    ],
    whole: (text) => [text, text, text.toLowerCase(), ...(withSsh ? [text.toLowerCase()] : [])],
  },
  "hosts.*.user": {
    at: host("user"),
    sink: (all) => [
      behind(sshCall(all.configuration, "alpha").args, "-l"),
      command(all).connection.user,
      ...(withSsh ? [readBySsh(all.configuration.hosts.alpha as HostEntry).user] : []),
    ],
    whole: (text) => Array(withSsh ? 3 : 2).fill(text),
  },
  "hosts.*.hostKey": choice("hosts", "alpha", "hostKey"),
  "hosts.*.identityFile": {
    at: host("identityFile"),
    sink: ({ configuration: { hosts } }) => [
      behind(sshCall({ hosts, credentials: {} } as unknown as Configuration, "alpha").args, "-i"),
      ...(withSsh ? [readBySsh(hosts.alpha as HostEntry).identityfile] : []),
    ],
    whole: (text) => [text, ...(withSsh ? [text.replace(/^~(?=\/)/, "/home/me")] : [])],
  },
  "hosts.*.jump": {
    at: ["hosts", "beta", "jump"],
    sink: ({ configuration }) => behind(sshCall(configuration, "beta").args, "-J"),
  },
  "hosts.*.jump.0": {
    at: ["hosts", "beta", "jump", 0],
    // Of a name that is no host.
    toldAt: ["hosts", "beta", "jump"],
    sink: ({ configuration }) => behind(sshCall(configuration, "beta").args, "-J"),
  },
  "hosts.*.groupAddress": {
    at: host("groupAddress"),
    // A group asks for IPv4 addresses, and says so where the machine takes part.
    toldAt: chat("leader"),
    sink: (all) => inputsOf(all, "chat-alpha-files").files["/etc/gpu-hosts/chat/group"].content,
    whole: (text) => expect.stringContaining(text),
  },
  "hosts.*.takeOver.0": kept(...host("takeOver", 0)),
  "hosts.*.retire": choice("hosts", "gamma", "retire"),
  "hosts.*.release": kept(...host("release")),
  "hosts.*.architecture": kept(...host("architecture")),
  "hosts.*.driver": kept(...host("driver")),
  "hosts.*.gpus.0.model": kept(...host("gpus", 0, "model")),
  "hosts.*.gpus.0.computeCapability": kept(...host("gpus", 0, "computeCapability")),
  "hosts.*.gpus.0.uuid": kept(...host("gpus", 0, "uuid")),
  "hosts.*.gpus.0.pciId": kept(...host("gpus", 0, "pciId")),
  "credentials.* key": choice("credentials", "alpha"),
  "credentials.*.privateKey": {
    at: ["credentials", "alpha", "privateKey"],
    sink: (all) => [
      sshCall(all.configuration, "alpha").files["/run/x/key"]?.replace(/\n$/, ""),
      command(all).connection.privateKey,
    ],
    whole: (text) => [text.replace(/\n$/, ""), text],
  },
  "credentials.*.passphrase": kept("credentials", "alpha", "passphrase"),
  "credentials.*.sudoPassword": kept("credentials", "alpha", "sudoPassword"),
  "services.* key": {
    at: ["services", "chat"],
    sink: (all, text) => [
      inputsOf(all, `${text}-alpha-server`).name,
      ...curlGets(all.curls[text] ?? "").slice(1, 3),
    ],
    whole: (text) => [`llama-server-${text}.service`, "-H", "Authorization: Bearer the-key"],
  },
  "services.*.engine": choice(...chat("engine")),
  "services.*.leader": choice(...chat("leader")),
  "services.*.workers.0": choice(...chat("workers", 0)),
  "services.*.listen": choice(...chat("listen")),
  "services.*.gpuLayers": choice(...chat("gpuLayers")),
  "services.*.alias": {
    at: chat("alias"),
    sink: (all) => [
      behind(serverWords(all), "--alias"),
      JSON.parse(curlGets(all.curls.chat ?? "").at(-1) ?? "").model,
    ],
    whole: (text) => [text, text],
  },
  "services.*.apiKey": {
    at: chat("apiKey"),
    sink: (all) => inputsOf(all, "chat-alpha-files").files["/etc/gpu-hosts/chat/api-key"].content,
    whole: (text) => `${text}\n`,
  },
  "services.*.model.repo": {
    at: chat("model", "repo"),
    sink: (all) => inputsOf(all, "chat-alpha-model").name,
  },
  "services.*.model.revision": {
    at: chat("model", "revision"),
    sink: (all) => inputsOf(all, "chat-alpha-model").revision,
  },
  "services.*.model.url": {
    at: ["services", "rel", "model", "url"],
    sink: (all) => inputsOf(all, "rel-alpha-model").source.url,
  },
  "services.*.model.token": {
    at: chat("model", "token"),
    sink: (all) => inputsOf(all, "chat-alpha-model").token,
  },
  "services.*.model.files.* key": {
    at: chat("model", "files", "m.gguf"),
    sink: (all) => [
      Object.keys(inputsOf(all, "chat-alpha-model").files)[0],
      behind(serverWords(all), "--model")?.split(`${revision}/`)[1],
    ],
    whole: (text) => [text, text],
  },
  "services.*.model.files.*": {
    at: chat("model", "files", "m.gguf"),
    sink: (all) => inputsOf(all, "chat-alpha-model").files["m.gguf"],
  },
  "services.*.extraArgs.0": { at: chat("extraArgs", 0), sink: (all) => serverWords(all).at(-1) },
  "services.*.workerArgs.0": {
    at: chat("workerArgs", 0),
    sink: (all) => execWords(inputsOf(all, "chat-beta-worker").unit).at(-1),
  },
  "services.*.build.packages.* key": {
    at: chat("build", "packages", "llama.cpp"),
    sink: (all) => Object.keys(inputsOf(all, "chat-alpha-packages").packages)[0],
  },
  "services.*.build.packages.*": {
    at: chat("build", "packages", "llama.cpp"),
    sink: (all) => inputsOf(all, "chat-alpha-packages").packages["llama.cpp"],
  },
  "services.*.build.release.tag": choice(...rel("tag")),
  "services.*.build.release.variant": choice(...rel("variant")),
  "services.*.build.release.variants.* key": choice(...rel("variants", "alpha")),
  "services.*.build.release.variants.*": choice(...rel("variants", "alpha")),
  // A name of no archive is passed over: what is told is that one is missing.
  "services.*.build.release.archives.* key": {
    ...choice(...rel("archives", "llama-b2-bin-ubuntu-x64.tar.gz")),
    toldAt: rel("archives"),
  },
  "services.*.build.release.archives.*": choice(...rel("archives", "llama-b2-bin-ubuntu-x64.tar.gz")),
  "services.*.build.source.tag": choice(...src("tag")),
  "services.*.build.source.url": { at: src("url"), sink: (all) => inputsOf(all, "src-alpha-source").url },
  "services.*.build.source.sha256": choice(...src("sha256")),
  "services.*.build.source.variant": choice(...src("variant")),
  "services.*.build.source.variants.* key": choice(...src("variants", "alpha")),
  "services.*.build.source.variants.*": choice(...src("variants", "alpha")),
  "services.*.build.source.cudaArchitectures.0": choice(...src("cudaArchitectures", 0)),
  "services.*.build.source.cmake.0": {
    at: src("cmake", 0),
    sink: (all) => inputsOf(all, "src-alpha-build").cmake.at(-1),
  },
  "mirrors.hub": {
    at: ["mirrors", "hub"],
    sink: (all) => inputsOf(all, "chat-alpha-model").source.endpoint,
  },
  "mirrors.llamacpp": {
    at: ["mirrors", "llamacpp"],
    sink: (all) => inputsOf(all, "rel-alpha-build").url,
    whole: (text) => `${text.replace(/\/+$/, "")}/releases/download/b2/llama-b2-bin-ubuntu-x64.tar.gz`,
  },
  "base.packages.0": {
    at: ["base", "packages", 0],
    sink: (all, text) => Object.keys(inputsOf(all, "alpha-packages").packages).find((name) => name === text),
  },
  "base.heldPackages.0": {
    at: ["base", "heldPackages", 0],
    sink: (all) =>
      heldByApt(
        inputsOf(all, "alpha-files").files["/etc/apt/apt.conf.d/52gpu-hosts-unattended-upgrades"].content,
      ),
    whole: (text) => [`^${text.replaceAll(/[.+]/g, "\\$&")}`],
  },
  "base.openings.* key": choice("base", "openings", "alpha"),
  "base.openings.*.0.protocol": choice(...opening("protocol")),
  "base.openings.*.0.from": choice(...opening("from")),
  "base.openings.*.0.from.0": choice(...opening("from", 0)),
  "base.openings.*.0.why": {
    at: opening("why"),
    sink: (all) => inputsOf(all, "alpha-firewall").ports["tcp/9000"].comment,
  },
  "base.extraCommands.* key": choice("base", "extraCommands", "alpha"),
  "base.extraCommands.*.0.name": {
    at: extra("name"),
    sink: (all, text) => inputsOf(all, `alpha-${text}`).create,
    whole: () => "true",
  },
  "base.extraCommands.*.0.create": { at: extra("create"), sink: (all) => command(all).create },
  "base.extraCommands.*.0.update": {
    at: extra("update"),
    sink: (all) => command(all).update,
    whole: (text) => (text === "" ? undefined : text),
  },
  "base.extraCommands.*.0.delete": {
    at: extra("delete"),
    sink: (all) => command(all).delete,
    whole: (text) => (text === "" ? undefined : text),
  },
  "base.extraCommands.*.0.triggers.0": { at: extra("triggers", 0), sink: (all) => command(all).triggers[0] },
};

const places = textPlaces(configurationSchema(engines)).map(
  ({ path, kind }) => `${path.join(".")}${kind === "key" ? " key" : ""}`,
);

/** Places that came with vLLM and the NVIDIA driver: where they end up is not told yet. Nothing is to be added. */
const untold: readonly string[] = [
  "hosts.*.nvidia.driver",
  "hosts.*.nvidia.driver",
  "hosts.*.nvidia.modules",
  "services.*.host",
  "services.*.version",
  "services.*.python",
  "services.*.variant",
  "services.*.lock",
  "services.*.quantization",
  "services.*.dtype",
  "services.*.kvCacheDtype",
  "services.*.maxModelLen",
  "mirrors.nvidia",
  "mirrors.pypi",
  "mirrors.pypiFiles",
  "mirrors.pytorch",
  "mirrors.pythonBuilds",
  "base.nvidiaKey",
];

test("every place of the schema where text goes in has a line that says where it ends up", () => {
  expect(new Set([...Object.keys(sinks), ...untold])).toEqual(new Set(places));
});

/** {@link whole} with a text at a place. */
function changed(at: Sink["at"], text: string, isKey: boolean): RawConfiguration {
  const all = whole() as unknown as Record<string | number, unknown>;
  const parts = [...at];
  const last = parts.pop() as string | number;
  const map = parts.reduce((inner, part) => inner[part] as typeof all, all);
  if (!isKey) map[last] = text;
  else {
    const value = map[last];
    delete map[last];
    // As JSON.parse makes it, also where it is __proto__.
    Object.defineProperty(map, text, { value, enumerable: true, configurable: true, writable: true });
    if (at[0] === "hosts") {
      const moved = JSON.stringify(all).replaceAll('"leader":"alpha"', `"leader":${JSON.stringify(text)}`);
      const again = JSON.parse(moved);
      for (const place of [again.credentials, again.base.openings, again.base.extraCommands])
        delete place.alpha;
      for (const part of ["rel", "src"])
        delete again.services[part].build[part === "rel" ? "release" : "source"].variants;
      return again;
    }
  }
  return all;
}

/** The lines of the refusal; `undefined`: it was accepted. */
function refusalOf(raw: RawConfiguration): readonly string[] | undefined {
  try {
    parseConfiguration(raw);
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
}

test("the configuration that the attempts change is right", () => {
  expect(refusalOf(whole())).toBeUndefined();
});

/** Less what has nothing to do with a place, as declaring takes most of the time. */
function around(at: Sink["at"], { services, ...others }: Configuration): Configuration {
  const [top, name = "chat"] = at;
  if (top === "mirrors" || services[name] === undefined) return { ...others, services };
  if (top === "base" || top === "credentials") return { ...others, services: {} };
  const own = top === "services" ? String(name) : "chat";
  return {
    ...others,
    services: Object.fromEntries([[own, services[own] as Configuration["services"][string]]]),
  };
}

test.each(Object.entries(sinks))(
  "%s: whatever stands there, it is refused with its path or arrives as data",
  async (place, { at, sink, declares = true, toldAt, whole = (text) => text }) => {
    const isKey = place.endsWith(" key");
    for (const text of hostileTexts) {
      const raw = changed(at, text, isKey);
      const lines = refusalOf(raw);
      const own = isKey ? [...at.slice(0, -1), text] : at;
      const told = problemLines([own, toldAt ?? own].map((path) => ({ path, text: "" })));
      if (lines) {
        const shown = `${JSON.stringify(text.slice(0, 80))}:\n${lines.join("\n")}`;
        expect(
          lines.some((line) => told.some((start) => line.startsWith(start))),
          shown,
        ).toBe(true);
        expect(lines.join(""), "what is refused steers no terminal").not.toMatch(
          /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u,
        );
      } else if (sink) {
        const configuration = parseConfiguration(raw);
        const landed = declares
          ? await land(around(at, configuration))
          : { configuration, resources: [], curls: {} };
        expect(sink(landed, text), JSON.stringify(text)).toEqual(whole(text));
      } else {
        expect.fail(`${JSON.stringify(text)} was accepted, and nobody says where it ends up`);
      }
    }
  },
);

test("an engine, a host or a key called as something that every object has is refused with its path", () => {
  for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"]) {
    const map = (value: unknown) => JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(value)}}`);
    const host = { platform: "linux", address: "10.0.0.1" };
    expect(refusalOf({ hosts: map(host) })?.join(), name).toMatch(/^hosts\.\w+: /);
    expect(refusalOf({ hosts: { alpha: { ...host, ...map(1) } } })?.join(), name).toMatch(
      /^hosts\.alpha\.\w+: /,
    );
    expect(refusalOf({ base: map(1) })?.join(), name).toMatch(/^base\.\w+: /);
    expect(refusalOf({ mirrors: map("http://x") })?.join(), name).toMatch(/^mirrors\.\w+: /);
    expect(() => readInventory({ hosts: map(host) }), name).toThrow(`hosts.${name}: `);
    expect(readInventory({ hosts: { alpha: host } }).hosts[name], name).toBeUndefined();
    const { base } = whole();
    const raw = { ...whole(), base: { ...base, openings: { ...base.openings, ...map([]) } } };
    // An object literal takes `__proto__` for its prototype, so this one key is no key there.
    if (name !== "__proto__") expect(refusalOf(raw)?.join(), name).toMatch(/^base\.openings\.\w+: /);
  }
});

test("empty maps and lists, as of one who comments everything out, are as if left out", () => {
  const { hosts } = whole();
  const { services, base } = parseConfiguration({
    hosts,
    services: null,
    credentials: null,
    mirrors: null,
    base: { packages: null, openings: null, extraCommands: { alpha: null } },
  });
  expect(services).toEqual({});
  expect(base).toMatchObject({ packages: [], openings: {}, extraCommands: { alpha: [] } });
});

test.each([
  [["--port", "1"], "extraArgs[0]: --port is what the key port sets; write it there"],
  [["--port=1"], "extraArgs[0]: --port is what the key port sets; write it there"],
  [["-x", "--api_key=k"], "extraArgs[1]: --api_key is what the key apiKey sets; write it there"],
  [["-m"], "extraArgs[0]: -m is what the key model sets; write it there"],
  [["--rpc"], "extraArgs[0]: --rpc is what the key workers sets; write it there"],
  [[`--x=${key}`], "extraArgs[0]: holds apiKey, and arguments are public on the machine; take it out"],
])("arguments %j, which a key sets or which hold its secret, are refused", (extraArgs, line) => {
  const { services, ...others } = whole();
  expect(refusalOf({ ...others, services: { chat: { ...services.chat, extraArgs } } })).toEqual([
    `services.chat.${line}`,
  ]);
});

/** Stack files that ran a command on the machine of whoever typed `npm run ssh`. */
const stackFiles = {
  "a user with another line of ssh's configuration": {
    gate: { user: 'root"\n  ProxyCommand touch PWNED; false\n#', address: "127.0.0.1", sshConfig: false },
    box: { address: "127.0.0.1", jump: "gate", sshConfig: false },
  },
  "a jump host that is shell": {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    box: { address: "127.0.0.1", jump: "x$(touch${IFS}PWNED)@127.0.0.1", sshConfig: false },
  },
};

test.each(Object.entries(stackFiles))("npm run ssh with %s runs nothing", async (_what, entries) => {
  const workspace = createWorkspace();
  try {
    const hosts = Object.fromEntries(
      Object.entries(entries).map(([name, entry]) => [name, { platform: "linux", ...entry }]),
    );
    await workspace.configure("author", { "gpuhost:hosts": hosts });
    const { exitCode, output } = await workspace.script("ssh", "author", "box", "true");
    expect(exitCode).toBe(1);
    expect(output).toMatch(/hosts\.(gate\.user|box\.jump): must be /);
    expect(existsSync(join(workspace.folder, "PWNED"))).toBe(false);
  } finally {
    workspace.remove();
  }
});
