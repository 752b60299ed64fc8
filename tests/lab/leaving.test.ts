import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabHost } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { failed, ok } from "#tests/support/ended.ts";
import { inventoryEntry } from "#tests/support/stack-config.ts";
import { traces } from "#tests/support/traces.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";

/**
 * Machines and stacks that leave, come back and change their names, with the real engine. One story: each
 * test goes on where the last ended. The two ways out of an inventory are in engine.test.ts.
 */

let lab: Lab;
let workspace: Workspace;
let alpha: LabHost;
let bare: string;
let stack = "first";

/** Neither is on a bare host. */
const packages = ["jq", "tree"];
/** A file of the base that stood on the machine before, with other content. */
const theirs = "/etc/sysusers.d/gpu-hosts.conf";

const pulumi = (...args: string[]) => workspace.pulumi(...args, "--stack", stack);
const up = (...args: string[]) => pulumi("up", "--yes", "--skip-preview", ...args);
const configure = (hosts: Record<string, unknown>, base: Record<string, unknown> = { packages }) =>
  workspace.configure(stack, { "gpuhost:hosts": hosts, "gpu-hosts:base": base });
const entry = (change: Record<string, unknown> = {}) => inventoryEntry(alpha, change);

interface Resource {
  readonly urn: string;
  readonly type: string;
  readonly inputs: { readonly host?: string };
}

async function state(): Promise<{ deployment: { resources: Resource[] } }> {
  return JSON.parse(ok(await pulumi("stack", "export")));
}

/** Our resources, as `<host> <name>`. */
async function resources(): Promise<string[]> {
  const { deployment } = await state();
  return deployment.resources
    .filter(({ type }) => type.startsWith("gpuhost:"))
    .map(({ urn, inputs }) => `${inputs.host} ${urn.split("::").at(-1)}`)
    .sort();
}

async function urnOf(name: string): Promise<string> {
  const { deployment } = await state();
  return deployment.resources.find(({ urn }) => urn.endsWith(`::${name}`))?.urn ?? expect.fail(name);
}

/** Stacks and resources that the machine's own record has as owners. */
async function owners(): Promise<string[]> {
  const text = await alpha.exec("cat /var/lib/gpu-hosts/owners/*.json 2>/dev/null; true");
  const records = text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { owners: { stack: string; urn: string }[] });
  const names = records.flatMap((record) =>
    record.owners.map(({ stack, urn }) => `${stack} ${urn.split("::").at(-1)}`),
  );
  return [...new Set(names)].sort();
}

async function inSync(): Promise<void> {
  ok(await workspace.script("drift", stack));
  ok(await up("--expect-no-changes"));
}

const parts = (host: string) => [
  `${host} ${host}-files`,
  `${host} ${host}-firewall`,
  `${host} ${host}-packages`,
];
const owned = (host: string) => parts(host).map((part) => part.replace(host, `gpu-hosts/${stack}`));

describeLab("leaving and coming back", () => {
  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    alpha = lab.host("alpha");
    workspace = createWorkspace();
    await alpha.exec(`mkdir -p /etc/sysusers.d; echo '# theirs' > ${theirs}; chmod 0640 ${theirs}`);
    bare = await alpha.exec(traces);
  });

  afterAll(async () => {
    await lab?.stop();
    workspace?.remove();
  });

  test("a host that retires is left as it was found, its entry goes without a word, and it can come back", async () => {
    await configure({ alpha: entry() });
    ok(await up());
    await configure({ alpha: entry({ retire: true }) });
    ok(await up());
    expect(await resources()).toEqual([]);
    expect(await alpha.exec(`${traces}; stat -c %a ${theirs}`)).toBe(`${bare}640\n`);
    await configure({});
    ok(await up("--expect-no-changes"));

    await configure({ alpha: entry() });
    ok(await up());
    expect(await resources()).toEqual(parts("alpha"));
    await inSync();
  });

  test("an entry that is deleted too early is an error with both ways out, for up and refresh, and nothing is lost", async () => {
    await configure({});
    for (const command of ["up", "refresh"]) {
      const output = failed(await pulumi(command, "--yes", "--skip-preview"));
      expect(output).toContain("retire: true");
      expect(output).toContain("retire: gone");
      expect(await resources()).toEqual(parts("alpha"));
    }
    await configure({ alpha: entry() });
    await inSync();
  });

  test("a host is renamed in one up: the new name takes over what the old one leaves, nothing on it is touched", async () => {
    const untouched =
      "stat -c '%i %Y' /etc/sysusers.d/gpu-hosts.conf /usr/bin/jq /etc/gpu-hosts/firewall.nft";
    const before = await alpha.exec(untouched);
    // The old entry has what `host add` wrote into it; the new one was written by hand.
    const facts = {
      release: "Debian GNU/Linux 12 (bookworm)",
      architecture: "x86_64",
      cpuCores: 2,
      memoryGiB: 4,
      diskGiB: 30,
      gpus: [],
    };
    await configure({ alpha: entry({ ...facts, retire: true }), rack: entry() });
    ok(await workspace.script("up", stack, "--yes"));
    expect(await resources()).toEqual(parts("rack"));
    expect(await owners()).toEqual(owned("rack"));
    expect(await alpha.exec(untouched)).toBe(before);
    await configure({ rack: entry() });
    await inSync();
  });

  test("a renamed stack goes on with its items, and destroys them", async () => {
    const old = stack;
    stack = "second";
    ok(await workspace.pulumi("stack", "rename", stack, "--stack", old));
    await inSync();
    expect(await owners()).toEqual(owned("rack").map((owner) => owner.replace(stack, old)));
    await configure({ rack: entry() }, { packages: ["jq"] });
    ok(await up());
    await inSync();
    expect(await owners()).toContain(`gpu-hosts/${stack} rack-packages`);

    ok(await pulumi("destroy", "--yes", "--skip-preview"));
    expect(await alpha.exec(traces)).toBe(bare);
    expect(await owners()).toEqual([]);
    await configure({ rack: entry() });
    ok(await up());
  });

  test("what the state forgot is taken up again as ours, and what stood there first still comes back", async () => {
    ok(await pulumi("state", "delete", await urnOf("rack-files"), "--yes"));
    const preview = ok(await pulumi("preview"));
    expect(preview).not.toContain("takes over");
    expect(preview).not.toContain("warning");
    ok(await up());
    await inSync();
    expect(await owners()).toEqual(owned("rack"));
  });

  test("an older state that was put back is brought up to date, what it does not know included", async () => {
    const backup = await state();
    await configure({ rack: entry() }, { packages: ["jq"] });
    ok(await up());
    const restore = workspace.startPulumi("stack", "import", "--stack", stack, "--file", await saved(backup));
    ok(await restore.ended);
    ok(await up());
    await inSync();
    expect(await alpha.exec("command -v tree || echo gone")).toBe("gone\n");
  });

  test("an import shows what stands there; taken out again it leaves that alone", async () => {
    await alpha.exec("echo welcome > /etc/lab-imported");
    const args = [
      "gpuhost:index:Files",
      "imported",
      "rack:/etc/lab-imported",
      "--yes",
      "--skip-preview",
      "--protect=false",
    ];
    ok(await pulumi("import", ...args, "--generate-code=false"));
    expect(JSON.stringify(await state())).toContain("welcome");
    ok(await workspace.script("drift", stack));
    ok(await up());
    expect(await alpha.exec("cat /etc/lab-imported")).toBe("welcome\n");
    const nothing = failed(await pulumi("import", "gpuhost:index:Files", "no", "rack:/etc/nothing", "--yes"));
    expect(nothing).toContain("does not exist");
  });

  test("a second operator's stack of the same name is told whose it would take; a dead stack's items are inherited", async () => {
    const other = createWorkspace();
    try {
      await other.configure(stack, { "gpuhost:hosts": { rack: entry() }, "gpu-hosts:base": { packages } });
      // As another operator's claim would have recorded it.
      await alpha.exec(`cd /var/lib/gpu-hosts/owners && sed -i 's/"by":"[^"]*"/"by":"ann@laptop"/' *.json`);
      const namesake = ok(await other.pulumi("preview", "--stack", stack));
      expect(namesake).toMatch(
        /warning: rack has this as that of gpu-hosts\/second already, from ann@laptop/,
      );

      await other.configure("heir", { "gpuhost:hosts": { rack: entry() }, "gpu-hosts:base": { packages } });
      const refused = failed(await other.pulumi("preview", "--stack", "heir"));
      expect(refused).toContain("write `takeOver: [gpu-hosts/second]` for the machine");
      await other.configure("heir", {
        "gpuhost:hosts": { rack: entry({ takeOver: ["gpu-hosts/second"] }) },
        "gpu-hosts:base": { packages },
      });
      ok(await other.pulumi("up", "--yes", "--skip-preview", "--stack", "heir"));
      ok(await other.script("drift", "heir"));

      // The one that was not dead after all does not undo its heir.
      const told = failed(await pulumi("destroy", "--yes", "--skip-preview"));
      expect(told).toMatch(/is ours by the state, yet the machine has it as that of stack gpu-hosts\/heir/);
      ok(await other.script("drift", "heir"));

      ok(await other.pulumi("destroy", "--yes", "--skip-preview", "--stack", "heir"));
      await alpha.exec("rm /etc/lab-imported");
      expect(await alpha.exec(`${traces}; stat -c %a ${theirs}`)).toBe(`${bare}640\n`);
    } finally {
      other.remove();
    }
  });

  test("an account that something on the machine belongs to by now stays, and the operator is told what", async () => {
    const site = createWorkspace();
    try {
      await site.configure("lab", { "gpuhost:hosts": { alpha: entry() } });
      ok(await site.pulumi("up", "--yes", "--skip-preview", "--stack", "lab"));
      await alpha.exec("install -o gpu-hosts /dev/null /srv/theirs; usermod -a -G render ops");
      const told = ok(await site.pulumi("destroy", "--yes", "--skip-preview", "--stack", "lab"));
      expect(told).toContain("user gpu-hosts stays: /srv/theirs is its");
      expect(told).toContain("group render stays: gpu-hosts,ops is in it");
      expect(await alpha.exec("stat -c %U /srv/theirs")).toBe("gpu-hosts\n");
      await alpha.exec("rm /srv/theirs; userdel gpu-hosts; groupdel render");
      expect(await alpha.exec(traces)).toBe(bare);
    } finally {
      site.remove();
    }
  });

  test("extra commands undo themselves where a machine retires, and are forgotten without a call where it is gone", async () => {
    const site = createWorkspace();
    site.plugin("command", "tests/lab/command");
    const mark = "/etc/lab-extra";
    const command = {
      name: "mark",
      create: `echo made > ${mark}`,
      update: `echo again > ${mark}`,
      delete: `rm ${mark}`,
    };
    const config = (change: Record<string, unknown>, commands: readonly unknown[] = [command]) =>
      site.configure("lab", {
        "gpuhost:hosts": { alpha: entry(change) },
        "gpu-hosts:base": { extraCommands: { alpha: commands } },
      });
    const run = (...args: string[]) =>
      site.pulumi("up", "--yes", "--skip-preview", "--stack", "lab", ...args);
    const commands = async () =>
      ok(await site.pulumi("stack", "--stack", "lab", "--show-urns")).match(/remote:Command::\S+/g) ?? [];
    try {
      await config({});
      ok(await run());
      expect(await alpha.exec(`cat ${mark}`)).toBe("made\n");
      await config({ retire: true });
      ok(await run());
      expect(await alpha.exec(`ls ${mark} 2>/dev/null; true`)).toBe("");

      await config({});
      ok(await run());
      await alpha.powerOff();
      // Changed as well: nothing of it may be run on a machine that is no more.
      await config({ retire: "gone" }, [{ ...command, create: "false" }]);
      const gone = ok(await run());
      expect(gone).toContain("alpha is gone: `delete` of its extra commands (mark) will not run");
      expect(await commands()).toHaveLength(1);
      await site.configure("lab", { "gpuhost:hosts": {} });
      ok(await run());
      expect(await commands()).toEqual([]);
    } finally {
      site.remove();
    }
  });
});

/** Writes a state where `pulumi stack import` finds it. */
async function saved(content: unknown): Promise<string> {
  const file = join(workspace.folder, "backup.json");
  await writeFile(file, JSON.stringify(content));
  return file;
}
