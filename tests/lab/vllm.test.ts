import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { uv } from "#components/vllm/uv.ts";
import { type Hub, startHub } from "#lab/hub.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { type Pypi, startPypi } from "#lab/pypi.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { failed, ok } from "#tests/support/ended.ts";
import { inventoryOf } from "#tests/support/stack-config.ts";
import { traces } from "#tests/support/traces.ts";
import { locked, packWheel, uvWheel, type Wheel } from "#tests/support/wheels.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";

/**
 * A service of vLLM on a bare host, with the real engine, uv and environment; only vLLM itself is a stand-in
 * (tests/vllm/stub), installed from a wheel as vLLM is. One story: each test goes on where the last ended.
 */

const stub = (name: string) => readFileSync(join(import.meta.dirname, "../vllm/stub", name), "utf8");
const apiKey = "sk-lab-$0123'456\"789`ab";
const unit = "vllm-chat.service";

let lab: Lab;
let hub: Hub;
let pypi: Pypi;
let workspace: Workspace;
let bare: string;
let revision: string;
let hashes: Record<string, string>;
const wheels: Record<string, Wheel> = {};

const on = (command: string) => lab.host("alpha").exec(command);
const script = (name: string, ...args: string[]) => workspace.script(name, ...args);
const up = () => script("up", "lab", "--yes");
const again = () =>
  workspace.pulumi("up", "--yes", "--skip-preview", "--stack", "lab", "--expect-no-changes");

/** The stub as vLLM's wheel of a version. @param more lines that run when its program is started */
const vllmWheel = (version: string, more = "") =>
  packWheel(
    "vllm",
    version,
    {
      "vllm/__init__.py": "",
      "vllm/stub.py": `${more}${stub("stub.py")}`,
      "vllm/flags.txt": stub("flags.txt"),
    },
    { vllm: "vllm.stub:main" },
  );

/** Writes the stack file. @param change keys of the service to add or replace */
async function configure(version: string, change: Record<string, unknown> = {}): Promise<void> {
  const lock = join(workspace.folder, `vllm-${version}.txt`);
  writeFileSync(lock, locked(wheels[version] as Wheel));
  await workspace.configure("lab", {
    "gpuhost:hosts": inventoryOf(lab.hosts),
    "gpu-hosts:mirrors": {
      hub: hub.url,
      pypi: pypi.index,
      pypiFiles: pypi.files,
      pytorch: pypi.index,
      pythonBuilds: `${pypi.files}/builds`,
    },
    "gpu-hosts:services": {
      chat: {
        engine: "vllm",
        host: "alpha",
        model: { repo: "lab/tiny", revision, files: hashes },
        version,
        variant: "cpu",
        python: "3.11",
        lock,
        maxModelLen: 512,
        memoryShare: 0.5,
        apiKey: { secret: apiKey },
        extraArgs: ["--enforce-eager"],
        ...change,
      },
    },
  });
}

/** Asks for a completion from outside, as a client would. */
const ask = (key = apiKey) =>
  fetch(`http://${lab.host("alpha").address}:8080/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "chat", messages: [{ role: "user", content: "Hello" }], max_tokens: 4 }),
    signal: AbortSignal.timeout(30_000),
  });
const program = async () => {
  const pid = (await on(`systemctl show --property=MainPID --value ${unit}`)).trim();
  return (await on(`tr '\\0' ' ' < /proc/${pid}/cmdline`)).trim();
};

describeLab("vLLM on one host", () => {
  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    hub = await startHub(lab.gateway);
    pypi = await startPypi(lab.gateway);
    workspace = createWorkspace();
    const installer = await uvWheel();
    pypi.publish(installer.file, installer.content, uv.x86_64.path);
    wheels["0.32.0"] = await vllmWheel("0.32.0");
    wheels["0.32.1"] = await vllmWheel("0.32.1", "raise SystemExit('ImportError: this release is broken')\n");
    for (const { file, content } of Object.values(wheels)) pypi.publish(file, content);
    const files = {
      "config.json": JSON.stringify({ max_position_embeddings: 2048, stub_context: 1024 }),
      "model.safetensors": "not really weights\n",
      "tokenizer.json": "{}",
    };
    revision = hub.publish("lab/tiny", files);
    hashes = Object.fromEntries(
      Object.entries(files).map(([name, text]) => [name, createHash("sha256").update(text).digest("hex")]),
    );
    bare = await on(traces);
  });

  afterAll(async () => {
    await pypi?.close();
    await hub?.close();
    await lab?.stop();
    workspace?.remove();
  });

  test("what is wrong is told at preview, and no host is touched", async () => {
    await configure("0.32.0", {
      variant: "cu129",
      lock: undefined,
      tensorParallel: 2,
      cpuCacheGiB: 1,
      model: { repo: "lab/tiny", revision, files: { "tokenizer.json": hashes["tokenizer.json"] } },
    });
    const output = failed(await workspace.pulumi("preview", "--stack", "lab"));
    for (const line of [
      "services.chat.lock: is missing: gpu-hosts has no lock of vLLM 0.32.0 for cu129 and Python 3.11; make one and name it here",
      "services.chat.cpuCacheGiB: is for `variant: cpu`, and this is cu129",
      "services.chat.model.files: must hold all files of the model; config.json and its weights (*.safetensors) is missing",
    ])
      expect(output).toContain(line);
    expect(await on(traces)).toBe(bare);
  });

  test("up: environment, model, unit; a completion with the key, none with another", async () => {
    await configure("0.32.0");
    const output = ok(await up());
    expect(output).not.toContain(apiKey);
    expect((await ask()).status).toBe(200);
    expect((await ask("wrong-key-0123456789")).status).toBe(401);
    expect(await program()).toMatch(
      /\/venvs\/vllm-chat\/[0-9a-f]{12}\/bin\/vllm serve \/var\/lib\/gpu-hosts\/models\/lab\/tiny\/\w{40} --host 0\.0\.0\.0 --port 8080 --served-model-name chat .*--max-model-len 512 --gpu-memory-utilization 0\.5 --enforce-eager$/,
    );
    expect(await on(`cat /proc/*/cmdline | tr '\\0' ' '`)).not.toContain("sk-lab-");
    expect(await on("stat -c '%a %U' /etc/gpu-hosts/chat/vllm.env /var/cache/private/vllm-chat")).toMatch(
      /^600 root\n700 gpu-hosts\n$/,
    );
  });

  test("a second up changes nothing, drift is clean, verify is content", async () => {
    ok(await again());
    ok(await script("drift", "lab"));
    ok(await script("verify", "lab"));
  });

  test("flag, package and model changed by hand are each named by drift, and repaired", async () => {
    await on(`sed -i 's/--max-model-len 512/--max-model-len 1024/' /etc/systemd/system/${unit}; systemctl daemon-reload
printf '\\n' >> /var/lib/gpu-hosts/venvs/vllm-chat/*/lib/python3.11/site-packages/vllm/stub.py
printf 'x' >> /var/lib/gpu-hosts/models/lab/tiny/*/model.safetensors`);
    const drift = await script("drift", "lab");
    expect(drift.exitCode, drift.output).toBe(2);
    expect(drift.output).toMatch(/chat-alpha-server +SystemdService +drifted\n +unit: the text differs\n/);
    expect(drift.output).toContain("site-packages/vllm/stub.py");
    expect(drift.output).toContain("model.safetensors");
    ok(await script("up", "lab", "--yes", "--refresh"));
    ok(await script("drift", "lab"));
    expect((await ask()).status).toBe(200);
    expect(await program()).toContain("--max-model-len 512");
  });

  test("a context that does not fit fails early, with vLLM's words", async () => {
    await configure("0.32.0", { maxModelLen: 4096 });
    const output = failed(await up());
    expect(output).toContain(
      "a request of 4096 tokens needs 6.30 GiB of KV cache, and 1.31 GiB are left for it",
    );
    expect(output).toContain("set maxModelLen to 1024 or less");
    await configure("0.32.0");
    ok(await up());
    expect((await ask()).status).toBe(200);
  });

  test("a version whose packages cannot be installed leaves the old one answering", async () => {
    const { sha256: _, ...wheel } = wheels["0.32.1"] as Wheel;
    const good = wheels["0.32.1"] as Wheel;
    wheels["0.32.1"] = { ...wheel, sha256: "0123456789abcdef".repeat(4) };
    await configure("0.32.1");
    wheels["0.32.1"] = good;
    expect(failed(await up())).toMatch(/hash mismatch/i);
    expect((await ask()).status).toBe(200);
    await configure("0.32.0");
    ok(await up());
  });

  test("destroy leaves the host as it was found", async () => {
    ok(await workspace.pulumi("destroy", "--yes", "--stack", "lab"));
    // apt keeps the configuration of packages that it removes.
    await on("dpkg --purge $(dpkg -l | awk '$1 == \"rc\" { print $2 }')");
    expect(await on(traces)).toBe(bare);
    expect(await on("find /var/cache /var/lib/private -name '*vllm*' 2>/dev/null || true")).toBe("");
  });
});
