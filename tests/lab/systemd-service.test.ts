import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { pathText } from "#inventory/problems.ts";
import type { Config } from "#provider/contract/resource.ts";
import { systemdService } from "#provider/resources/systemd-service/systemd-service.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Life, startLife } from "#tests/support/life.ts";

describeLab("SystemdService", () => {
  let life: Life;
  const on = (command: string) => life.host.exec(command);
  const unit = (exec = "/bin/sleep 1000", more = "") =>
    `[Unit]\nDescription=Demo\n[Service]\nExecStart=${exec}\n${more}\n[Install]\nWantedBy=multi-user.target\n`;
  const demo = (more: Config = {}): Config => ({ name: "demo.service", unit: unit(), ...more });
  const up = (want: Config, last?: Config) => life.up(systemdService, want, last);
  const drift = async (want: Config, last = want) =>
    (await life.plan(systemdService, want, last)).changes.map(({ path }) => pathText(path)).sort();
  const pid = async () => (await on("systemctl show demo --property=MainPID --value")).trim();
  const environmentOf = async () => await on(`tr '\\0' '\\n' < /proc/${await pid()}/environ`);

  beforeAll(async () => {
    life = await startLife("bookworm");
  });
  afterAll(async () => {
    await life?.stop();
  });
  beforeEach(async () => {
    await on(`systemctl stop demo.service 2>/dev/null
      rm -rf /etc/systemd/system/demo.service* /etc/gpu-hosts /run/gpu-hosts /var/lib/gpu-hosts/owners
      systemctl daemon-reload; systemctl reset-failed; true`);
  });

  test("bare → made → clean second run → removed without a trace", async () => {
    const traces = () =>
      on("find /etc/systemd /etc/gpu-hosts /var/lib/gpu-hosts -not -type d 2>/dev/null | sort");
    const before = await traces();
    const want = demo({ environment: { GREETING: 'a "b" $c \\d `e`' }, restartOn: { package: "1.0" } });
    const made = await up(want);
    expect(made.observation.status?.state).toBe("active (running)");
    expect(await environmentOf()).toContain('GREETING=a "b" $c \\d `e`\n');
    expect(await on("stat -c '%a %U' /etc/gpu-hosts/env/demo.service.env; systemctl is-enabled demo")).toBe(
      "600 root\nenabled\n",
    );
    const running = await pid();
    expect((await up(want, want)).steps).toEqual([]);
    expect(await pid()).toBe(running);
    await life.down(systemdService, want);
    expect(await life.observe(systemdService, want)).toBeUndefined();
    expect(await traces()).toBe(before);
    expect(await on("ls -d /etc/gpu-hosts /etc/systemd/system/demo* 2>/dev/null; true")).toBe("");
  });

  test("what somebody changed by hand is named and repaired", async () => {
    const want = demo({ environment: { A: "1" }, dropIns: { "10-nice.conf": "[Service]\nNice=5\n" } });
    await up(want);
    const cases: readonly (readonly [string, readonly string[]])[] = [
      ["systemctl stop demo", ["running"]],
      ["systemctl disable demo", ["enabled"]],
      ["echo '# edited' >> /etc/systemd/system/demo.service", ["unit"]],
      [
        "echo >> /etc/systemd/system/demo.service.d/10-nice.conf; systemctl daemon-reload",
        ['dropIns["10-nice.conf"]'],
      ],
      [
        "printf '[Service]\\nNice=1\\n' > /etc/systemd/system/demo.service.d/override.conf; systemctl daemon-reload",
        ['dropIns["override.conf"]'],
      ],
      ["sed -i 's/^A=.*/A=2/' /etc/gpu-hosts/env/demo.service.env", ["environment.A"]],
      ["chmod 644 /etc/gpu-hosts/env/demo.service.env", ["files"]],
      ["rm /etc/systemd/system/demo.service; systemctl mask demo", ["enabled", "unit", "unit"]],
    ];
    for (const [command, seen] of cases) {
      await on(command);
      expect({ command, seen: await drift(want) }).toEqual({ command, seen });
      await up(want, want);
      expect({ command, seen: await drift(want) }).toEqual({ command, seen: [] });
      expect(await on("systemctl is-active demo; systemctl is-enabled demo")).toBe("active\nenabled\n");
      expect(await environmentOf()).toContain("\nA=1\n");
    }
  });

  test("what systemd really has of the unit counts, wherever it comes from", async () => {
    const want = demo({ environment: { A: "1" }, dropIns: { "10-nice.conf": "[Service]\nNice=5\n" } });
    await up(want);
    const own = "/etc/systemd/system/demo.service";
    const foreign = (folder: string, text: string, file = "x.conf") =>
      `mkdir -p ${folder}; printf '${text}' > ${folder}/${file}; systemctl daemon-reload`;
    const at = (path: string) => `merged["${path}"]`;
    const cases: readonly (readonly [string, readonly string[]])[] = [
      [`chmod 666 ${own}`, [`file["${own}"]`]],
      [`chown daemon ${own}.d/10-nice.conf`, [`file["${own}.d/10-nice.conf"]`]],
      [`mv ${own} /root/x; ln -s /root/x ${own}`, [`file["${own}"]`]],
      [
        foreign("/run/systemd/system/demo.service.d", "[Service]\\nNice=3\\nEnvironment=K=hidden\\n"),
        [at("/run/systemd/system/demo.service.d/x.conf")],
      ],
      [
        "systemctl set-property demo CPUWeight=50",
        [at("/etc/systemd/system.control/demo.service.d/50-CPUWeight.conf")],
      ],
      [
        "systemctl set-property --runtime demo CPUWeight=50",
        [at("/run/systemd/system.control/demo.service.d/50-CPUWeight.conf")],
      ],
      [
        foreign("/run/systemd/system.control/demo.service.d", "", "90-gpu-hosts.conf"),
        [at("/run/systemd/system.control/demo.service.d/90-gpu-hosts.conf"), "reload"],
      ],
      [
        foreign("/etc/systemd/system/service.d", "[Service]\\nNice=4\\n", "all.conf"),
        [at("/etc/systemd/system/service.d/all.conf")],
      ],
      [
        foreign("/run/systemd/system/demo.service.d", "[Service]\\nNice=3\\n").concat(
          "; rm -r /run/systemd/system/demo.service.d",
        ),
        [at("/run/systemd/system/demo.service.d/x.conf")],
      ],
      [
        `cp -a ${own} /root/x; sed -i s/1000/999/ ${own}; touch -r /root/x ${own}; systemctl daemon-reload; cp -a /root/x ${own}`,
        ["command"],
      ],
    ];
    for (const [command, seen] of cases) {
      await on(command);
      expect({ command, seen: await drift(want) }).toEqual({ command, seen });
      const told = JSON.stringify((await life.plan(systemdService, want, want)).changes);
      expect(told).not.toContain("hidden");
      await up(want, want);
      expect({ command, seen: await drift(want) }).toEqual({ command, seen: [] });
      expect(await on("systemctl show demo --property=Nice; systemctl is-active demo")).toBe(
        "Nice=5\nactive\n",
      );
    }
    // A drop-in for all services is another's too: it stays, and only our unit goes without it.
    expect(await on("ls /etc/systemd/system/service.d; rm -r /etc/systemd/system/service.d")).toBe(
      "all.conf\n",
    );
    await life.down(systemdService, want);
    expect(await on("ls -d /etc/systemd/system/demo* 2>/dev/null; true")).toBe("");
  });

  test("a drop-in of a template counts; what was merged before us comes back when we go", async () => {
    const want = { name: "nap@1.service", unit: unit() };
    const file = "/run/systemd/system/nap@.service.d/x.conf";
    await on(
      `mkdir -p ${file.replace("/x.conf", "")}; printf '[Service]\nNice=3\n' > ${file}; chmod 600 ${file}`,
    );
    await up(want);
    expect(await on("systemctl show nap@1 --property=Nice")).toBe("Nice=0\n");
    await on(`printf '[Service]\nNice=2\n' > ${file}; systemctl daemon-reload`);
    expect(await drift(want)).toEqual([`merged["${file}"]`]);
    await up(want, want);
    expect(await drift(want)).toEqual([]);
    await life.down(systemdService, want);
    expect(await on(`cat ${file}; stat -c %a ${file}; rm -r ${file.replace("/x.conf", "")}`)).toBe(
      "[Service]\nNice=3\n600\n",
    );
  });

  test("a file that is only touched, a reload, a restart by hand and another time zone are no difference", async () => {
    const want = demo({ environment: { A: "1" } });
    await up(want);
    const running = await pid();
    for (const command of [
      "touch /etc/systemd/system/demo.service",
      "systemctl daemon-reload",
      "timedatectl set-timezone Asia/Tokyo || ln -sf /usr/share/zoneinfo/Asia/Tokyo /etc/localtime",
    ]) {
      await on(command);
      expect({ command, seen: await drift(want) }).toEqual({ command, seen: [] });
      expect((await up(want, want)).steps).toEqual([]);
    }
    expect(await pid()).toBe(running);
    await on("systemctl restart demo; ln -sf /usr/share/zoneinfo/UTC /etc/localtime");
    expect(await drift(want)).toEqual([]);
  });

  test("a process that goes on with what was replaced is restarted", async () => {
    await on(`mkdir -p /opt/run /var/lib/gpu-hosts/models/.cache; cp /bin/sleep /opt/run/server
      for f in /opt/run/key /var/lib/gpu-hosts/models/w.gguf /var/lib/gpu-hosts/models/.cache/tmp /var/log/server.log; do echo 1 > $f; done`);
    const files =
      "7</var/lib/gpu-hosts/models/w.gguf 8>>/var/lib/gpu-hosts/models/.cache/tmp 9>>/var/log/server.log";
    const want = demo({
      unit: unit(`/bin/sh -c 'exec ${files}; exec /opt/run/server 1000'`, "LoadCredential=key:/opt/run/key"),
    });
    await up(want);
    // Logs are rotated and caches cleaned: nothing of that counts.
    await on("mv /var/log/server.log /var/log/server.log.1; rm /var/lib/gpu-hosts/models/.cache/tmp");
    expect(await drift(want)).toEqual([]);
    const cases: readonly (readonly [string, string])[] = [
      [
        "cp /bin/sleep /opt/run/new; mv /opt/run/new /opt/run/server",
        "runs with a file that was replaced: /opt/run/server",
      ],
      [
        "rm /var/lib/gpu-hosts/models/w.gguf; echo 1 > /var/lib/gpu-hosts/models/w.gguf",
        "runs with a file that was replaced: /var/lib/gpu-hosts/models/w.gguf",
      ],
      ["echo 2 > /opt/run/key", "started with another /opt/run/key"],
    ];
    for (const [command, text] of cases) {
      const old = await pid();
      await on(command);
      expect((await life.plan(systemdService, want, want)).changes.map((one) => one.text)).toEqual([text]);
      await up(want, want);
      expect(await pid()).not.toBe(old);
      expect(await drift(want)).toEqual([]);
    }
  });

  test("a killed process that systemd brings back is no difference", async () => {
    const want = demo({ unit: unit("/bin/sleep 1000", "Restart=always\nRestartSec=100ms") });
    await up(want);
    const first = await pid();
    await on("kill -9 $(systemctl show demo --property=MainPID --value)");
    expect(await drift(want)).toEqual([]);
    expect(await pid()).not.toBe(first);
  });

  test("a change of what the process is started with restarts it, also after a run that broke off before", async () => {
    const want = demo({ environment: { A: "1" }, restartOn: { package: "1.0" } });
    await up(want);
    const first = await pid();
    const newer = { ...want, restartOn: { package: "1.1" } };
    expect(await drift(newer, want)).toEqual(["restartOn.package"]);
    await up(newer, want);
    expect(await pid()).not.toBe(first);

    for (const after of [1, 2, 3, 4, 5]) {
      const old = await pid();
      const last = after % 2 ? newer : { ...newer, environment: { A: "2" }, unit: unit("/bin/sleep 2000") };
      const next = after % 2 ? { ...newer, environment: { A: "2" }, unit: unit("/bin/sleep 2000") } : newer;
      await breakOff(next, last, after);
      await up(next, last);
      expect(await pid()).not.toBe(old);
      expect(await drift(next)).toEqual([]);
      expect(await on(`tr '\\0' ' ' < /proc/${await pid()}/cmdline`)).toContain(after % 2 ? "2000" : "1000");
    }
  });

  /** A run that dies after some of its steps. */
  async function breakOff(want: Config, last: Config, after: number) {
    const { steps } = await life.plan(systemdService, want, last);
    for (const step of steps.slice(0, after)) {
      if (step.kind === "write") await life.machine.writeFile(step.path, step.content, step);
      else if (step.kind === "run") await life.machine.run(step.command);
      else throw new Error(`not expected here: ${step.kind}`);
    }
  }

  test("a process started before we came, or by an edited unit, is not taken for ours", async () => {
    const text = unit();
    await on(
      `cat > /etc/systemd/system/demo.service <<'X'\n${text}X\nsystemctl daemon-reload; systemctl enable --now demo`,
    );
    const foreign = await pid();
    const want = demo({ unit: text });
    expect(await drift(want)).toEqual(["files", "restart"]);
    await up(want);
    expect(await pid()).not.toBe(foreign);
    await life.down(systemdService, want);
    expect(
      await on("cat /etc/systemd/system/demo.service; systemctl is-active demo; systemctl is-enabled demo"),
    ).toBe(`${text}active\nenabled\n`);
    expect(await environmentOf()).not.toContain("GPU_HOSTS");
  });

  test("a unit that hides its environment is judged by when it began", async () => {
    // perl writes its title over argv and environment, as setproctitle does
    const want = demo({
      unit: unit(`/usr/bin/perl -e '$$0 = "x" x 4000; sleep 1000'`),
      restartOn: { v: "1" },
    });
    await up(want);
    expect(await drift(want)).toEqual([]);
  });

  test("an item that is dropped is undone", async () => {
    const want = demo({ environment: { A: "1" }, dropIns: { "10-nice.conf": "[Service]\nNice=5\n" } });
    await up(want);
    const fewer = demo();
    await up(fewer, want);
    expect(await drift(fewer)).toEqual([]);
    expect(await on("ls /etc/systemd/system/demo.service.d; systemctl show demo --property=Nice")).toBe(
      "90-gpu-hosts.conf\nNice=0\n",
    );
    expect(await environmentOf()).not.toContain("\nA=");
    const off = { ...fewer, running: false, enabled: false };
    await up(off, fewer);
    expect(await on("systemctl is-active demo; systemctl is-enabled demo; true")).toBe(
      "inactive\ndisabled\n",
    );
    expect(await drift(off)).toEqual([]);
  });

  test("a unit of a package gets drop-ins only, and its own state back", async () => {
    const shipped = "/usr/lib/systemd/system/shipped.service";
    await on(`printf '[Service]\\nExecStart=/bin/sleep 1000\\n[Install]\\nWantedBy=multi-user.target\\n' > ${shipped}
      systemctl daemon-reload; systemctl start shipped`);
    const want = {
      name: "shipped.service",
      dropIns: { "10-x.conf": "[Service]\nNice=3\n" },
      environment: { B: "x" },
    };
    await up(want);
    expect(await drift(want)).toEqual([]);
    const state = "systemctl is-active shipped; systemctl is-enabled shipped; systemctl show shipped -P Nice";
    expect(await on(state)).toBe("active\nenabled\n3\n");
    const foreign = "/etc/systemd/system/shipped.service.d/foreign.conf";
    await on(`printf '[Service]\\nCPUWeight=10\\n' > ${foreign}; systemctl daemon-reload`);
    expect(await drift(want)).toEqual([]);
    await life.down(systemdService, want);
    expect(await on(`ls /etc/systemd/system/shipped.service.d; ${state}; true`)).toBe(
      "foreign.conf\nactive\ndisabled\n0\n",
    );
  });

  test("a service that fails is an error with its journal", async () => {
    const failing = demo({
      unit: unit("/bin/sh -c 'echo no model here >&2; exit 3'"),
    });
    await expect(up(failing)).rejects.toThrow(/demo\.service to be active[\s\S]*no model here/);
    expect(await drift(failing)).toEqual(["running"]);
  });

  test("a crash loop ends the waiting, and is a difference", async () => {
    const loop = demo({
      unit: unit(
        "/bin/sh -c 'sleep 0.3; echo out of memory >&2; exit 1'",
        "Restart=always\nRestartSec=200ms",
      ).replace("[Unit]", "[Unit]\nStartLimitIntervalSec=0"),
      readiness: { kind: "tcp", port: 4711, deadlineSeconds: 60 },
    });
    await expect(up(loop)).rejects.toThrow(/restarted \d times[\s\S]*out of memory/);
    expect(await drift(loop)).toEqual(["loop", "readiness"]);
    expect(await life.lines.some((line) => line.includes("nothing listens on port 4711"))).toBe(true);
  });

  test("a unit that waits for another host is on its way; one whose readiness was not awaited is asked again", async () => {
    const gated = demo({
      unit: unit(
        "/usr/bin/perl -MIO::Socket -e '$$s = IO::Socket::INET->new(Listen => 1, LocalPort => 4712) or die; sleep 1000'",
        "ExecStartPre=/bin/sh -c 'echo waiting for host b; while [ ! -e /run/b ]; do sleep 0.2; done'\nTimeoutStartSec=infinity",
      ),
      readiness: { kind: "tcp", port: 4712, deadlineSeconds: 30 },
    });
    await on("rm -f /run/b");
    const coming = up(gated);
    await expect
      .poll(() => life.lines.join("\n"), { timeout: 20_000 })
      .toContain("start-pre: waiting for host b");
    await on("touch /run/b");
    expect((await coming).observation.status?.state).toBe("active (running)");

    await breakOff({ ...gated, restartOn: { v: "2" } }, gated, 5);
    expect(await drift({ ...gated, restartOn: { v: "2" } })).toEqual(["readiness"]);
    const proven = await up({ ...gated, restartOn: { v: "2" } }, gated);
    expect(proven.steps.map(({ kind }) => kind)).toEqual(["wait", "delete"]);
  });

  test("a timer is restarted when its file changed", async () => {
    const timer = (when: string) => ({
      name: "demo.timer",
      unit: `[Timer]\nOnCalendar=${when}\nUnit=demo.service\n[Install]\nWantedBy=timers.target\n`,
    });
    await on(
      `printf '[Service]\\nExecStart=/bin/true\\n' > /etc/systemd/system/demo.service; systemctl daemon-reload`,
    );
    await up(timer("daily"));
    expect(await drift(timer("daily"))).toEqual([]);
    await up(timer("weekly"), timer("daily"));
    expect(await on("systemctl show demo.timer --property=TimersCalendar")).toContain("Mon *-*-*");
    expect((await up(timer("weekly"), timer("weekly"))).steps).toEqual([]);
    await life.down(systemdService, timer("weekly"));
    expect(await on("systemctl show demo.timer --property=LoadState")).toBe("LoadState=not-found\n");
  });
});
