import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { type Hub, memberToken, startHub, strangerToken } from "#lab/hub.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { tinyGguf } from "#lab/tiny-gguf.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { ok, refusals } from "#tests/support/ended.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";

/**
 * From a model's name on the hub to a service that answers, and back, in one story: each test goes on where
 * the last ended. The model is tiny and its header real.
 */

let lab: Lab;
let hub: Hub;
let workspace: Workspace;
let before: string;

const file = () => join(workspace.folder, "Pulumi.lab.yaml");
const text = () => readFileSync(file(), "utf8");
const service = (...args: string[]) => workspace.script("service", ...args);
const add = (...args: string[]) => service("add", "lab", ...args);
const refused = refusals(file);

describeLab("service add", () => {
  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "solo", release: "forky" }] });
    hub = await startHub(lab.gateway);
    workspace = createWorkspace();
    workspace.env.GPU_HOSTS_CACHE = join(workspace.folder, "cache");
    hub.publish("lab/tiny-GGUF", { "tiny-Q8_0.gguf": tinyGguf(), "README.md": "# A tiny model\n" });
    hub.publish("lab/gated-GGUF", { "tiny-Q8_0.gguf": tinyGguf() }, { gated: true });
    hub.publish("lab/plain", { "model.safetensors": "x", "config.json": "{}" });
    ok(await workspace.pulumi("stack", "init", "lab"));
    const { address, hostKey, identityFile } = lab.host("solo");
    const login = ["--name", "solo", "--identity-file", identityFile, "--yes", "--host-key", hostKey];
    ok(await workspace.script("host", "add", `root@${address}`, "lab", ...login));
    writeFileSync(file(), `${text()}  gpu-hosts:mirrors: { hub: "${hub.url}" } # the lab's\n`);
    before = text();
  });
  afterAll(async () => {
    await hub?.close();
    workspace?.remove();
    await lab?.stop();
  });

  test("what cannot be is told, and nothing is written", async () => {
    expect(await refused(add("chat", "lab/none-GGUF", "--yes"))).toMatch(
      /does not show lab\/none-GGUF to everyone/,
    );
    expect(await refused(add("chat", "lab/gated-GGUF", "--yes"))).toContain("add -- --token");
    expect(await refused(add("chat", "lab/tiny-GGUF:Q8_1", "--yes"))).toContain("did you mean Q8_0?");
    expect(await refused(add("chat", "lab/plain", "--yes"))).toContain("often lab/plain-GGUF");
    expect(await refused(add("chat", "tiny", "--yes"))).toContain("OWNER/MODEL");
    expect(await refused(add("chat", "lab/tiny-GGUF"))).toContain("add -- --yes");
    expect(await refused(add("chat", "lab/tiny-GGUF", "--yes", "--host", "sola"))).toContain(
      "did you mean solo?",
    );
    expect(await refused(add("chat", "lab/tiny-GGUF", "--yes", "--port", "22"))).toContain("is taken by SSH");
  });

  test("where nothing fits the numbers are shown, and nothing is written", async () => {
    const small = "    small: { platform: linux, address: 192.0.2.9, memoryGiB: 0.001, gpus: [] }\n";
    writeFileSync(
      file(),
      before.replace(/ {2}gpuhost:hosts:\n/, (line) => `${line}${small}`),
    );
    const output = await refused(add("chat", "lab/tiny-GGUF", "--yes", "--host", "small"));
    expect(output).toMatch(/ +Q8_0 +\d\.\d MB +small +2048 +0\.0 +0\.0 +does not fit/);
    expect(output).toContain("nothing of lab/tiny-GGUF fits; small: does not fit:");
    writeFileSync(file(), before);
  });

  test("a service is written with comments and pinned; every other byte of the file stays", async () => {
    const output = ok(await add("chat", "lab/tiny-GGUF", "--yes"));
    expect(output).toMatch(/→ +Q8_0 +\d\.\d MB +solo +2048 .* fits/);
    expect(output).toContain("chat is in Pulumi.lab.yaml now: lab/tiny-GGUF in Q8_0 on solo, port 8080");
    expect(text().startsWith(before)).toBe(true);
    const { chat } = parse(text()).config["gpu-hosts:services"];
    expect(chat).toMatchObject({ engine: "llamacpp", leader: "solo", port: 8080, context: 2048 });
    expect(chat.model.revision).toMatch(/^[0-9a-f]{40}$/);
    expect(Object.values(chat.model.files)[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(chat.apiKey.secure).toMatch(/^v1:/);
    expect(await refused(add("chat", "lab/tiny-GGUF", "--yes"))).toContain("npm run service remove lab chat");
  });

  test("plan shows where it lies and what it takes", async () => {
    expect(ok(await workspace.script("plan", "lab"))).toMatch(
      /memory, GiB\n.*\n +solo +memory +chat .* fits\n +chat \(lab\/tiny-GGUF tiny-Q8_0\.gguf\): fits/,
    );
    const { fits } = JSON.parse(ok(await workspace.script("plan", "lab", "--json")).replace(/^[^{]*/, ""));
    expect(fits).toMatchObject([{ service: "chat", decision: "pass" }]);
  });

  test("a hub that gives nothing is no reason for a plan to fail", async () => {
    hub.fail({ file: "tiny-Q8_0.gguf", kind: "refuse" });
    const script = join(import.meta.dirname, "../../scripts/plan.ts");
    const env = { GPU_HOSTS_CACHE: join(workspace.folder, "empty") };
    const output = ok(await workspace.start(process.execPath, [script, "lab"], env).ended);
    expect(output).toMatch(/chat \(lab\/tiny-GGUF tiny-Q8_0\.gguf\): not estimated: .*HTTP 503/);
  });

  test("it comes up and answers who has its key", async () => {
    ok(await workspace.script("up", "lab", "--yes"));
    const key = ok(
      await workspace.pulumi("stack", "output", "--stack", "lab", "--show-secrets", "chat-apiKey"),
    );
    const answer = await fetch(`http://${lab.host("solo").address}:8080/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key.trim()}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "chat", messages: [{ role: "user", content: "Hello" }], max_tokens: 4 }),
    });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('"role":"assistant"');
    ok(await workspace.script("verify", "lab"));
  });

  test("a second one gets the next port, and a gated one's token is kept encrypted", async () => {
    const output = ok(await add("second", "lab/tiny-GGUF:q8_0", "--yes", "--json"));
    const { name, port, chosen } = JSON.parse(output.slice(output.indexOf("{")));
    expect([name, port, chosen.quantization]).toEqual(["second", 8081, "Q8_0"]);
    const withToken = (token: string) =>
      workspace.start("sh", [
        "-c",
        `printf '%s' '${token}' | exec "$@"`,
        "sh",
        process.execPath,
        join(import.meta.dirname, "../../scripts/service.ts"),
        ...["add", "lab", "gated", "lab/gated-GGUF", "--yes", "--token"],
      ]).ended;
    expect(await refused(withToken(""))).toContain("reads the token from stdin");
    expect(await refused(withToken(strangerToken))).toContain("accept the model's licence");
    ok(await withToken(memberToken));
    expect(text()).not.toContain(memberToken);
    expect(parse(text()).config["gpu-hosts:services"].gated.model.token.secure).toMatch(/^v1:/);
    const shown = await workspace.pulumi("config", "--stack", "lab", "--show-secrets");
    expect(ok(shown)).toContain(memberToken);
    for (const name of ["gated", "second"]) ok(await service("remove", "lab", name));
  });

  test("taken out, the file is as it was before, and the next up takes it off the machine", async () => {
    expect(await refused(service("remove", "lab", "chet"))).toContain("did you mean chat?");
    ok(await service("remove", "lab", "chat"));
    expect(text()).toBe(before);
    ok(await workspace.script("up", "lab", "--yes"));
    expect(await lab.host("solo").exec("systemctl is-active llama-server-chat.service || true")).not.toMatch(
      /^active/,
    );
  });
});
