import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packages } from "#facts/dpkg.ts";
import { diversions, packageFiles } from "#facts/package-files.ts";
import { runningFiles } from "#facts/running-files.ts";
import { unitInEffect } from "#facts/unit-in-effect.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Life, startLife } from "#tests/support/life.ts";
import { sh } from "#transport/command.ts";

describeLab("what is in effect on a host", () => {
  describe.each(["bookworm", "forky"] as const)("%s", (release) => {
    let life: Life;
    beforeAll(async () => {
      life = await startLife(release);
    }, 600_000);
    afterAll(async () => life?.stop(), 60_000);

    test("files of packages, as they were brought and changed by hand", async () => {
      const names = ["curl", "procps"];
      const look = async (deep: boolean) => await life.machine.ask(packageFiles(names, { deep }));
      for (const deep of [false, true])
        expect(await look(deep)).toEqual({ packages: new Set(names), files: new Map() });

      await life.host.exec(`touch -r /usr/bin/curl /root/times; cp /bin/true /usr/bin/curl; touch -r /root/times /usr/bin/curl
dpkg-divert --local --rename --divert /usr/bin/free.real --add /usr/bin/free; rm /usr/bin/top; chmod 700 /usr/bin/vmstat
rm -r /usr/share/doc/curl; apt-mark hold curl`);
      for (const deep of [false, true]) {
        const { files } = await look(deep);
        expect(
          Object.fromEntries([...files].map(([path, { state, hashed }]) => [path, [state, hashed]])),
        ).toEqual({
          "/usr/bin/curl": ["changed", true],
          "/usr/bin/free": ["missing", false],
          "/usr/bin/top": ["missing", false],
          "/usr/bin/vmstat": ["touched", true],
        });
        expect(files.get("/usr/bin/vmstat")?.now).toMatchObject({
          type: "f",
          mode: "700",
          owner: "root:root",
        });
      }
      expect(await life.machine.ask(diversions)).toContainEqual({
        path: "/usr/bin/free",
        to: "/usr/bin/free.real",
        by: undefined,
      });
      expect((await life.machine.ask(packages(["curl"]))).get("curl")?.held).toBe(true);
    }, 120_000);

    test("a unit as systemd has it, and the files that it still uses", async () => {
      const unit = "a-nap@1.service";
      const text = `[Service]
Environment=A=secretvalue
ExecStart=/bin/sh -c "exec 7</opt/run/model; exec /opt/run/napper 1000"
`;
      await life.host.exec(
        "mkdir -p /opt/run /run/systemd/system/a-nap@.service.d /etc/systemd/system/a-.service.d; cp /bin/sleep /opt/run/napper; echo old >/opt/run/model",
      );
      const attributes = { mode: "0644", owner: "root:root" };
      await life.machine.writeFile("/etc/systemd/system/a-nap@.service", text, attributes);
      await life.host.exec(`systemctl daemon-reload; systemctl start ${unit}; sleep 1`);
      const stale = async () =>
        (await life.machine.ask(runningFiles(unit))).map(({ files }) =>
          files.filter((file) => file.stale).map(({ path }) => path),
        );
      expect(await stale()).toEqual([[]]);
      const [before] = await life.machine.ask(runningFiles(unit));
      expect(before?.files.map(({ path }) => path)).toEqual(
        expect.arrayContaining(["/opt/run/model", "/opt/run/napper"]),
      );
      const finished = await life.machine.run(runningFiles(unit).command);
      expect(finished.stdout).not.toContain("secretvalue");

      const dropIn = "/run/systemd/system/a-nap@.service.d/nice.conf";
      const late = "/etc/systemd/system/a-.service.d/late.conf";
      await life.machine.writeFile(dropIn, "[Service]\nNice=5\n", attributes);
      await life.host.exec(`systemctl daemon-reload; systemctl set-property ${unit} MemoryMax=1G
mv /etc/systemd/system/a-nap@.service /root; ln -s /root/a-nap@.service /etc/systemd/system
cp /bin/sleep /opt/run/new; mv /opt/run/new /opt/run/napper; rm /opt/run/model; echo new >/opt/run/model`);
      await life.machine.writeFile(late, "[Service]\nNice=6\n", attributes);
      const seen = await life.machine.ask(unitInEffect(unit));
      expect(seen).toMatchObject({ needsReload: true, transient: false, starts: [{ program: "/bin/sh" }] });
      // Which of them comes first differs between releases of systemd.
      expect(seen.dropIns.toSorted()).toEqual([
        expect.stringMatching(/system\.control.*MemoryMax\.conf$/),
        dropIn,
      ]);
      expect(seen.files.get(seen.fragment)).toMatchObject({
        type: "symlink",
        target: "/root/a-nap@.service",
        text,
      });
      expect(seen.files.get(late)).toMatchObject({ merged: false });
      expect(await stale()).toEqual([["/opt/run/model", "/opt/run/napper"]]);

      await life.host.exec(`systemctl restart ${unit}; sleep 1`);
      expect(await stale()).toEqual([[]]);
      const [after] = await life.machine.ask(runningFiles(unit));
      expect(after?.environment).toBe(before?.environment);
      await life.machine.run(sh`systemctl stop ${unit}`);
      expect(await life.machine.ask(runningFiles(unit))).toEqual([]);
    }, 120_000);
  });
});
