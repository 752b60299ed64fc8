import { afterAll, beforeAll, expect, test } from "vitest";
import { pathText } from "#inventory/problems.ts";
import type { Config } from "#provider/contract/resource.ts";
import { check } from "#provider/resources/check/check.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Life, startLife } from "#tests/support/life.ts";

describeLab("Check", () => {
  let life: Life;
  const on = (command: string) => life.host.exec(command);
  const record = "/var/lib/gpu-hosts/checks/sshd.json";
  const wantOf = (generation: string, unit = "ssh.service"): Config => ({
    name: "sshd",
    probe: { kind: "unit", unit },
    generation,
    deadlineSeconds: 20,
  });
  const drift = async (want: Config, last = want) =>
    (await life.plan(check, want, last)).changes.map(({ path }) => pathText(path));

  beforeAll(async () => {
    life = await startLife("bookworm");
  });
  afterAll(async () => {
    await life?.stop();
  });

  test("asked once a generation, recorded, read without asking, forgotten", async () => {
    await life.up(check, wantOf("1"));
    expect(await on(`stat -c '%a %U' ${record}`)).toBe("600 root\n");
    expect((await life.up(check, wantOf("1"), wantOf("1"))).steps).toEqual([]);

    expect(await drift(wantOf("2"), wantOf("1"))).toEqual(["generation"]);
    const { steps } = await life.up(check, wantOf("2"), wantOf("1"));
    expect(steps[0]?.kind).toBe("wait");
    expect(await drift(wantOf("2", "dbus.service"), wantOf("2"))).toEqual(["probe.unit"]);

    await on(`echo garbage > ${record}`);
    expect(await drift(wantOf("2"))).toEqual(["probe", "generation"]);
    await life.up(check, wantOf("2"), wantOf("2"));
    expect(await drift(wantOf("2"))).toEqual([]);

    await life.down(check, wantOf("2"));
    expect(await on(`ls ${record} 2>/dev/null || echo gone`)).toBe("gone\n");
  });

  test("what does not pass leaves no record and says what was seen, with the unit's journal", async () => {
    await on(
      "printf '[Service]\\nExecStart=/bin/sh -c \"echo out of memory; exit 1\"\\n' > /etc/systemd/system/bad.service; systemctl daemon-reload; systemctl start bad; sleep 0.5",
    );
    const want = { ...wantOf("1", "bad.service"), name: "bad", unit: "bad.service" };
    await expect(life.up(check, want)).rejects.toThrow(
      /bad\.service to be active[\s\S]*failed[\s\S]*out of memory/,
    );
    expect(await life.observe(check, want)).toBeUndefined();
  });

  test("a host without a driver fails the GPU probe in plain words", async () => {
    const want = { name: "gpu", probe: { kind: "gpu", minimum: 1 }, generation: "1" };
    await expect(life.up(check, want)).rejects.toThrow(/a GPU to answer[\s\S]*nvidia-smi.*No such file/);
  });
});
