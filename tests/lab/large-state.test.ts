import { afterAll, beforeAll, expect, test } from "vitest";
import { type Lab, startLab } from "#lab/lab.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { failed, ok } from "#tests/support/ended.ts";
import { inventoryOf } from "#tests/support/stack-config.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";

/**
 * What a failure has reached travels to the engine in a header of the answer. That the real engine takes a
 * large one is proven here, since the tests' own (tests/support/engine.ts) cannot.
 */
describeLab("a resource of 900 kB of state", () => {
  let lab: Lab;
  let workspace: Workspace;
  const on = (command: string) => lab.host("alpha").exec(command);
  const pulumi = (command: string) => workspace.pulumi(command, "--yes", "--skip-preview", "--stack", "lab");

  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    workspace = createWorkspace("tests/lab/large-state-main.ts");
    await workspace.configure("lab", { "gpuhost:hosts": inventoryOf(lab.hosts) });
  });

  afterAll(async () => {
    await lab?.stop();
    workspace?.remove();
  });

  test("fails half-way, is recorded as unhealthy, finished by the next up, and removed by destroy", async () => {
    await on("mount --bind /opt /opt && mount -o remount,bind,ro /opt");
    expect(failed(await pulumi("up"))).toContain("1 of 2 steps were done");
    expect(await on("stat -c %s /etc/lab-large")).toBe("300001\n");
    const state = JSON.parse(ok(await workspace.pulumi("stack", "export", "--stack", "lab")));
    const recorded = state.deployment.resources.find(({ type }: { type: string }) => type.endsWith(":Files"));
    expect(recorded.initErrors).toEqual([expect.stringContaining("cannot write /opt/lab-last")]);
    expect(recorded.outputs.applied.files["/etc/lab-large"].content).toHaveLength(300_001);

    await on("umount /opt");
    ok(await pulumi("up"));
    expect(await on("cat /opt/lab-last")).toBe("last\n");
    ok(await pulumi("destroy"));
    expect(await on("ls /etc/lab-large /opt/lab-last 2>/dev/null; true")).toBe("");
  });
});
