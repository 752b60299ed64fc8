import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Lab, startLab } from "#lab/lab.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import {
  type Answer,
  type Engine,
  type LogLine,
  type ProviderError,
  startEngine,
  urnOf,
} from "#tests/support/engine.ts";

/** The twelve points of the contract that hold for every resource, shown with Files on a real host. */

let lab: Lab;
const engines: Engine[] = [];
const urn = urnOf("Files", "contract");
const on = (command: string) => lab.host("alpha").exec(command);
const secret = (value: string) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  value,
});

function inventory(change: Record<string, unknown> = {}) {
  const { address, hostKey, identityFile } = lab.host("alpha");
  const alpha = { platform: "linux", address, hostKey, identityFile, ...change };
  return { hosts: JSON.stringify({ alpha }) };
}

async function start(
  options?: Parameters<typeof startEngine>[1],
  config: Record<string, unknown> = inventory(),
) {
  const engine = await startEngine(config, options);
  engines.push(engine);
  return engine;
}

async function wants(engine: Engine, files: Record<string, unknown>, as = urn) {
  const { inputs, failures } = await engine.check(as, { host: "alpha", files });
  expect(failures).toEqual([]);
  return inputs;
}

const caught = async (work: Promise<unknown>): Promise<ProviderError> =>
  work.then(
    () => expect.fail("should have failed"),
    (error: ProviderError) => error,
  );

const tree = {
  "/etc/lab": { directory: true },
  "/etc/lab/a": { content: "a\n" },
  "/etc/lab/b": { content: "b\n" },
  "/etc/issue": { content: "ours\n" },
};
const claimed = () => on("ls /var/lib/gpu-hosts/owners | grep -c json || true");

describeLab("the contract", () => {
  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    await on("echo theirs > /etc/issue");
  });

  const stopAll = () => Promise.all(engines.splice(0).map((engine) => engine.stop()));

  afterEach(stopAll);

  afterAll(async () => {
    await lab?.stop();
  });

  test("a create killed at any step boundary is finished by the next run, and removed without a trace", async () => {
    const boundaries: string[] = [];
    for (let boundary = 1; ; boundary++) {
      let announced = 0;
      const engine: Engine = await start({
        onLog: ({ ephemeral, message }: LogLine) => {
          if (!ephemeral || ++announced !== boundary) return;
          boundaries.push(message);
          engine.child.kill("SIGKILL");
        },
      });
      const outcome = await engine.create(urn, await wants(engine, tree)).then(
        () => "finished",
        () => "killed",
      );
      await stopAll();
      const next = await start();
      const inputs = await wants(next, tree);
      const made = await next.create(urn, inputs);
      expect((await next.read(urn, made)).inputs).toEqual(inputs);
      await next.delete(urn, made);
      expect(await on("cat /etc/issue; ls -d /etc/lab 2>/dev/null || true")).toBe("theirs\n");
      expect(await claimed()).toBe("0\n");
      await stopAll();
      if (outcome === "finished") break;
    }
    // owners record, folder, two files, the copy of what was there and its replacement
    expect(boundaries.length).toBe(6);
  });

  test("an update killed at any step boundary is finished by the next run, dropped items included", async () => {
    const {
      "/etc/issue": _dropped,
      "/etc/lab/b": _gone,
      ...fewer
    } = { ...tree, "/etc/lab/a": { content: "new\n" } };
    for (let boundary = 1; ; boundary++) {
      let announced = 0;
      const first = await start();
      const old = await first.create(urn, await wants(first, tree));
      // A provider holds the host's lock as long as it lives.
      await stopAll();
      const engine: Engine = await start({
        onLog: ({ ephemeral }) => {
          if (ephemeral && ++announced === boundary) engine.child.kill("SIGKILL");
        },
      });
      const inputs = await wants(engine, fewer);
      const outcome = await engine.update(urn, old, inputs).then(
        () => "finished",
        () => "killed",
      );
      await stopAll();
      const next = await start();
      const updated = await next.update(urn, old, inputs);
      expect(await on("cat /etc/issue /etc/lab/a; ls /etc/lab")).toBe("theirs\nnew\na\n");
      await next.delete(urn, updated);
      expect(await claimed()).toBe("0\n");
      await stopAll();
      if (outcome === "finished") break;
      expect(boundary).toBeLessThan(10);
    }
  });

  test("a create that failed half-way is recorded, finished once it can be, and removable", async () => {
    const engine = await start();
    const inputs = await wants(engine, { ...tree, "/etc/missing/c": { content: "c" } });
    const error = await caught(engine.create(urn, inputs));
    expect(error.message).toMatch(/^alpha \(root@.*\), Files contract: /);
    expect(error.message).toContain("/etc/missing/c");
    const state = { id: error.initFailed?.id ?? "", ...error.initFailed } as never;
    expect(error.initFailed?.id).toBe("alpha:/etc/issue");

    await engine.delete(urn, state);
    expect(await on("cat /etc/issue; ls -d /etc/lab 2>/dev/null || true")).toBe("theirs\n");

    const again = await caught(engine.create(urn, inputs));
    await on("mkdir /etc/missing");
    const made = await engine.update(urn, { id: "alpha:x", ...again.initFailed } as never, inputs);
    expect((await engine.read(urn, made)).inputs).toEqual(inputs);
    await engine.delete(urn, made);
    await on("rmdir /etc/missing");
  });

  test("Ctrl-C ends after the current step, and the next run goes on from there", async () => {
    let cancelled = false;
    const engine: Engine = await start({
      onLog: async ({ message }) => {
        if (message.startsWith("write /etc/issue") && !cancelled) {
          cancelled = true;
          await engine.cancel();
        }
      },
    });
    const inputs = await wants(engine, tree);
    const error = await caught(engine.create(urn, inputs));
    expect(error.message).toContain("stopped by Ctrl-C");
    expect(error.initFailed?.id).toBeTruthy();
    expect(await on("ls /etc/lab; cat /etc/issue")).toBe("ours\n");
    await stopAll();
    const next = await start();
    const made = await next.create(urn, inputs);
    expect((await next.read(urn, made)).inputs).toEqual(inputs);
    await next.delete(urn, made);
  });

  test("another stack's item is refused by name at preview and at create; disjoint items share the host", async () => {
    const engine = await start();
    const mine = await engine.create(urn, await wants(engine, { "/etc/lab-one": { content: "1" } }));
    const theirs = urnOf("Files", "contract", "other");
    const same = await wants(engine, { "/etc/lab-one": { content: "2" } }, theirs);
    for (const preview of [true, false]) {
      const error = await caught(engine.create(theirs, same, preview));
      expect(error.message).toContain("file /etc/lab-one belongs to stack gpu-hosts/lab");
      expect(error.initFailed).toBeUndefined();
    }
    const other = await engine.create(
      theirs,
      await wants(engine, { "/etc/lab-two": { content: "2" } }, theirs),
    );
    await engine.delete(urn, mine);
    expect(await on("cat /etc/lab-two; ls /etc/lab-one 2>/dev/null || true")).toBe("2");
    await engine.delete(theirs, other);
  });

  test("a folder that several resources want stays until the last of them goes, also when they come and go at once", async () => {
    const engine = await start();
    const folder = { "/etc/lab-shared": { directory: true } };
    const urns = ["one", "two", "three", "four"].map((name) => urnOf("Files", name));
    const states = await Promise.all(
      urns.map(async (one) => await engine.create(one, await wants(engine, folder, one))),
    );
    const [first, ...others] = urns.map((one, i) => () => engine.delete(one, states[i] as Answer));
    await first?.();
    expect(await on("ls -d /etc/lab-shared")).toBe("/etc/lab-shared\n");
    await Promise.all(others.map((leave) => leave()));
    expect(await on("ls -d /etc/lab-shared 2>/dev/null || true")).toBe("");
    expect(await claimed()).toBe("0\n");
  });

  test("secrets stay wrapped in state and never show in progress or errors", async () => {
    const engine = await start();
    const key = "sk-very-secret-key";
    const inputs = await wants(engine, { "/etc/key": { content: secret(key), mode: "0600" } });
    const made = await engine.create(urn, inputs);
    const read = await engine.read(urn, made);
    await on("echo hand-edited-secret > /etc/key");
    const drifted = await engine.read(urn, made);
    const failing = await wants(engine, { "/etc/none/key": { content: secret(key) } });
    const error = await caught(engine.update(urn, made, failing));

    const plainText = (value: unknown): string =>
      JSON.stringify(value, (_, inner) => (inner?.["4dabf18193072939515e22adb298388d"] ? "[secret]" : inner));
    for (const state of [inputs, made, read, drifted, error.initFailed]) {
      expect(plainText(state)).toContain("[secret]");
      expect(plainText(state)).not.toContain(key);
      expect(plainText(state)).not.toContain("hand-edited-secret");
    }
    expect(error.message).not.toContain(key);
    expect(JSON.stringify(engine.logs)).not.toContain(key);
    await engine.delete(urn, { ...made, ...error.initFailed } as never);
  });

  test("what vanished by hand stays in the state as empty, so that a refresh cannot launder it", async () => {
    const engine = await start();
    const inputs = await wants(engine, { "/etc/lab-one": { content: "1" } });
    const made = await engine.create(urn, inputs);
    await on("rm /etc/lab-one");
    const read = await engine.read(urn, made);
    expect(read.id).toBe(made.id);
    expect(read.inputs).toEqual({ host: "alpha" });
    expect(read.properties.applied).toEqual(made.properties.applied);
    expect((await engine.diff(urn, read, inputs)).keys).toEqual(["files"]);
    await engine.delete(urn, await engine.update(urn, read, inputs));
  });

  test("what is wrong beside the inputs is a finding: read, kept through a refresh, previewed, repaired", async () => {
    const plan = join(mkdtempSync(join(tmpdir(), "plan-")), "plan.jsonl");
    const engine = await start({ env: { GPU_HOSTS_PLAN: plan } });
    const service = urnOf("SystemdService", "demo");
    const unit = "[Service]\nExecStart=/bin/sleep 1000\n\n[Install]\nWantedBy=multi-user.target\n";
    const { inputs } = await engine.check(service, { host: "alpha", name: "demo.service", unit });
    const made = await engine.create(service, inputs);
    expect(made.properties).not.toHaveProperty("findings");
    expect((await engine.diff(service, made, inputs)).keys).toEqual([]);

    const file = "/etc/gpu-hosts/env/demo.service.env";
    await on(`chmod 644 ${file}`);
    const text = `${file} is 644 root:root, should be 600 root:root`;
    const refreshed = await engine.read(service, made);
    expect(refreshed.inputs).toEqual(inputs);
    expect(refreshed.properties.findings).toEqual({ files: text });
    const again = await engine.read(service, refreshed);
    for (const state of [refreshed, again])
      expect(await engine.diff(service, state, inputs)).toEqual({ keys: ["findings.files"], replaces: [] });

    await engine.update(service, again, inputs, true);
    const [entry] = readFileSync(plan, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(entry.changes).toEqual([{ path: "files", kind: "finding", text }]);

    const repaired = await engine.update(service, again, inputs);
    expect(repaired.properties).not.toHaveProperty("findings");
    expect(await on(`stat -c %a ${file}`)).toBe("600\n");
    expect((await engine.diff(service, await engine.read(service, repaired), inputs)).keys).toEqual([]);
    await engine.delete(service, repaired);
  });

  test("a login user with sudo does what root does", async () => {
    const engine = await start({}, inventory({ user: "ops" }));
    const made = await engine.create(urn, await wants(engine, tree));
    expect(await on("stat -c '%U %a' /etc/lab /etc/lab/a /etc/issue")).toBe("root 755\nroot 644\nroot 644\n");
    expect((await engine.read(urn, made)).inputs).toEqual(made.inputs);
    await engine.delete(urn, made);
    expect(await on("cat /etc/issue; ls -d /etc/lab 2>/dev/null || true")).toBe("theirs\n");
  });

  test("the engine is asked to look before each update only where the stack says so", async () => {
    for (const wish of [undefined, "true"]) {
      const engine = await start({}, { ...inventory(), refreshBeforeUpdate: wish });
      const made = await engine.create(urn, await wants(engine, { "/etc/lab-one": { content: "1" } }));
      expect(engine.asksForRefresh()).toBe(wish === "true");
      await engine.delete(urn, made);
      await stopAll();
    }
  });

  test("an import reads what stands there; one that finds nothing answers so", async () => {
    const engine = await start();
    const blank = { inputs: {}, properties: {} };
    const read = await engine.read(urn, { id: "alpha:/etc/issue", ...blank });
    const found = { content: "theirs\n", mode: "0644", owner: "root:root" };
    expect(read.inputs).toEqual({ host: "alpha", files: { "/etc/issue": found } });
    expect(read.properties.applied).toEqual({ files: { "/etc/issue": found } });
    expect((await engine.read(urn, { id: "alpha:/etc/nothing", ...blank })).id).toBe("");
  });

  test("an unreachable host warns in preview, keeps the old state in read, and fails create untouched", async () => {
    const alive = await start();
    const inputs = await wants(alive, { "/etc/lab-one": { content: "1" } });
    const made = await alive.create(urn, inputs);
    const engine = await start({}, inventory({ port: 9 }));
    const started = Date.now();
    await engine.create(urn, inputs, true);
    expect(Date.now() - started).toBeLessThan(8000);
    expect(engine.logs.filter((line) => line.warning).map((line) => line.message)).toEqual([
      expect.stringContaining("not compared with the host"),
    ]);
    const error = await caught(engine.read(urn, made));
    expect(error.initFailed).toEqual({ id: made.id, inputs: made.inputs, properties: made.properties });
    await alive.delete(urn, made);
  });

  test("a host that left the inventory is an error with two ways out; a gone one is forgotten with a warning", async () => {
    const alive = await start();
    const made = await alive.create(urn, await wants(alive, { "/etc/lab-one": { content: "1" } }));
    const without = await start({}, { hosts: JSON.stringify({}) });
    const error = await caught(without.delete(urn, made));
    expect(error.message).toContain("retire: true");
    expect(error.message).toContain("retire: gone");

    const gone = await start({}, inventory({ retire: "gone", port: 9 }));
    await gone.delete(urn, made);
    expect(gone.logs.filter((line) => line.warning)).toHaveLength(1);
    expect(await on("cat /etc/lab-one")).toBe("1");
    await alive.delete(urn, made);
  });

  test("bad inputs are refused by the path of the field", async () => {
    const engine = await start();
    const { failures } = await engine.check(urn, {
      host: "alhpa",
      files: { "etc/x": { content: "" }, "/etc/y": { content: "", mode: "644" } },
      extra: 1,
    });
    expect(failures).toEqual([
      'host: "alhpa" is not in gpuhost:hosts, which has alpha',
      'files["/etc/y"].mode: needs four octal digits, such as 0644',
      expect.stringContaining('files["etc/x"]: must be an absolute path'),
      "extra: is not a known key; known here: files",
    ]);
  });

  test("a preview tells what is taken over and which steps would follow, and changes nothing", async () => {
    const plan = join(mkdtempSync(join(tmpdir(), "plan-")), "plan.jsonl");
    const engine = await start({ env: { GPU_HOSTS_PLAN: plan } });
    const inputs = await wants(engine, { "/etc/issue": { content: secret("ours-and-secret") } });
    await engine.create(urn, inputs, true);
    const [entry] = readFileSync(plan, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(entry).toMatchObject({
      host: "alpha",
      type: "Files",
      operation: "create",
      adopted: ["file /etc/issue"],
      changes: [{ path: 'files["/etc/issue"].content', kind: "update", want: "[secret]", have: "[secret]" }],
    });
    expect(entry.steps.at(-1)).toMatch(/^write \/etc\/issue/);
    expect(JSON.stringify(entry)).not.toContain("ours-and-secret");
    expect(await on("cat /etc/issue")).toBe("theirs\n");
  });
});
