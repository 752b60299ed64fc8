import { describe, expect, test } from "vitest";
import { runningFiles } from "#facts/running-files.ts";
import { listenersOn } from "#facts/ss.ts";
import { lastLineOf, showUnit, unitFiles } from "#facts/systemd.ts";
import { unitInEffect } from "#facts/unit-in-effect.ts";
import { pathText } from "#inventory/problems.ts";
import { type Step, shown } from "#provider/contract/step.ts";
import { compare } from "#provider/converge/compare.ts";
import { keyOf } from "#transport/command.ts";
import { fakeHost } from "#transport/fake.ts";
import type { Want } from "./inputs.ts";
import { placesOf, renderEnvironmentFile, renderLink, startedBy, startedVariable } from "./rendered.ts";
import { systemdService } from "./systemd-service.ts";

const text = "[Service]\nExecStart=/bin/x\n[Install]\nWantedBy=multi-user.target\n";
const wantOf = (more: Record<string, unknown> = {}): Want =>
  systemdService.inputs.parse({ name: "x.service", unit: text, environment: { A: "1" }, ...more });
const want = wantOf({ restartOn: { package: "1.0" } });
const places = placesOf("x.service");
const context = (before?: unknown) => ({ last: want, before: () => before as never });

interface On {
  readonly properties?: Record<string, string>;
  readonly files?: Record<string, string>;
  readonly modes?: Record<string, string>;
  readonly process?: Want | "hidden" | "foreign";
  /** Its last line in the journal. */
  readonly said?: string;
}

/**
 * A host on which the unit is as wanted, but for what is given. What systemctl answers is put together here,
 * in the form of the recorded answers in facts/fixtures/systemd/: what these tests vary is the meaning of
 * single properties.
 */
function host({ properties = {}, files = {}, modes = {}, process = want, said = "" }: On = {}) {
  const all = {
    [places.unit]: text,
    [places.link]: renderLink("x.service") ?? "",
    [places.environment]: renderEnvironmentFile(want),
    ...files,
  };
  const lines = Object.entries(all)
    .filter(([, content]) => content !== "")
    .map(([path, content]) => {
      const mode = modes[path] ?? (path.endsWith(".env") ? "600" : "644");
      return `${mode} root:root 1795254000 ${path}\n${Buffer.from(content).toString("base64")}\n`;
    });
  const show = {
    LoadState: "loaded",
    ActiveState: "active",
    SubState: "running",
    UnitFileState: "enabled",
    NeedDaemonReload: "no",
    Result: "success",
    ExecMainStatus: "0",
    NRestarts: "0",
    Job: "",
    InactiveExitTimestamp: "Fri 2026-11-20 09:00:00 UTC",
    now: "1795254100",
    ...(typeof process === "string" ? {} : { started: JSON.stringify(startedBy(process)) }),
    ...properties,
  };
  const shown = Object.entries(show).map((pair) => pair.join("="));
  const isRead = (path: string) => path.startsWith(`${places.dropIns}/`) && all[path] !== "";
  const inEffect = [
    ...(show.LoadState === "not-found"
      ? []
      : ["ExecStart={ path=/bin/x ; argv[]=/bin/x ; ignore_errors=no ; x }"]),
    `LoadState=${show.LoadState}`,
    `FragmentPath=${all[places.unit] === "" ? "" : places.unit}`,
    `DropInPaths=${Object.keys(all).filter(isRead).join(" ")}`,
    `NeedDaemonReload=${show.NeedDaemonReload}`,
    "Transient=no",
    ...Object.entries(all)
      .filter(([path, content]) => path.startsWith("/etc/systemd/") && content !== "")
      .map(
        ([path, content]) =>
          `file\tregular file\t${modes[path] ?? "644"}\troot:root\t1795254000\t\t${Buffer.from(content).toString("base64")}\t${path}`,
      ),
  ];
  return fakeHost({
    [keyOf(unitInEffect("x.service").command)]: `${inEffect.join("\n")}\n`,
    [keyOf(runningFiles("x.service").command)]: "",
    [keyOf(showUnit("x.service", startedVariable).command)]: `${shown.join("\n")}\n`,
    [keyOf(unitFiles("x.service", [places.environment, places.owed]).command)]: lines.join(""),
    [keyOf(lastLineOf("x.service").command)]: said,
  });
}

async function differences(on: On, wanted = want) {
  const seen = await systemdService.observe(host(on), wanted, wanted);
  return compare(wanted, seen)
    .map(({ path, have, text }) => [pathText(path), text === undefined ? have : `finding: ${text}`])
    .sort();
}
const steps = (all: Iterable<Step>) => [...all].map((step) => shown(step).split("\n")[0]);

describe("observe", () => {
  test("a unit as wanted has no differences", async () => {
    expect(await differences({})).toEqual([]);
  });

  test("nothing there", async () => {
    const nothing = { [places.unit]: "", [places.link]: "", [places.environment]: "" };
    const seen = host({ files: nothing, properties: { LoadState: "not-found", ActiveState: "inactive" } });
    expect(await systemdService.observe(seen, want, undefined)).toBeUndefined();
  });

  test.each<[string, On, readonly (readonly [string, unknown])[]]>([
    ["stopped", { properties: { ActiveState: "inactive" } }, [["running", false]]],
    ["failed", { properties: { ActiveState: "failed" } }, [["running", false]]],
    ["disabled", { properties: { UnitFileState: "disabled" } }, [["enabled", false]]],
    [
      "enabled until the next boot only",
      { properties: { UnitFileState: "enabled-runtime" } },
      [["enabled", false]],
    ],
    ["edited", { files: { [places.unit]: "edited" } }, [["unit", "edited"]]],
    ["touched, and not read since: the same content", { properties: { NeedDaemonReload: "yes" } }, []],
    ["foreign drop-in", { files: { [`${places.dropIns}/o.conf`]: "x" } }, [['dropIns["o.conf"]', "x"]]],
    [
      "open to others",
      { modes: { [places.unit]: "666" } },
      [[`file["${places.unit}"]`, `finding: ${places.unit} is 666 root:root, should be 644 root:root`]],
    ],
    [
      "readable secrets",
      { modes: { [places.environment]: "644" } },
      [["files", `finding: ${places.environment} is 644 root:root, should be 600 root:root`]],
    ],
    [
      "crash loop between two crashes",
      { properties: { NRestarts: "7", InactiveExitTimestamp: "Sat 2026-11-21 09:41:30 UTC" } },
      [["loop", "finding: 7 restarts, the last run ended by success"]],
    ],
    [
      "started with an older unit",
      { process: wantOf({ unit: "old\n[Install]", restartOn: want.restartOn }) },
      [["restart", "finding: started with another unit"]],
    ],
    [
      "started with an older environment",
      { process: wantOf({ environment: {}, restartOn: want.restartOn }) },
      [["restart", "finding: started with another environment"]],
    ],
    [
      "started with an older package",
      { process: wantOf({ restartOn: { package: "0.9" } }) },
      [["restartOn.package", "0.9"]],
    ],
    [
      "a broken-off run owes the restart",
      { files: { [places.owed]: "restart\n" } },
      [
        ["readiness", "finding: not proven since the last start"],
        ["restart", "finding: a run broke off before it"],
      ],
    ],
    [
      "a broken-off run owes the proof",
      { files: { [places.owed]: "readiness\n" } },
      [["readiness", "finding: not proven since the last start"]],
    ],
    [
      "started before the file was written",
      { process: "hidden" },
      [
        ["restart", "finding: started before gpu-hosts configured it"],
        ["restartOn.package", undefined],
      ],
    ],
    [
      "hides its environment, began after the file",
      { process: "hidden", properties: { InactiveExitTimestamp: "Sat 2026-11-21 09:40:30 UTC" } },
      [],
    ],
  ])("%s", async (_, on, expected) => {
    expect(await differences(on)).toEqual(expected);
  });

  test("many restarts long ago are no loop, and a unit coming up is asked again", async () => {
    expect(await differences({ properties: { NRestarts: "7" } })).toEqual([]);
    const starting = await systemdService.observe(
      host({ properties: { ActiveState: "activating", SubState: "start-pre" } }),
      want,
      want,
    );
    expect(starting).toMatchObject({
      settling: "starting (start-pre)",
      status: { state: "activating (start-pre)" },
    });
    expect(compare(want, starting)).toEqual([]);
  });

  test("a unit coming up says what it waits for", async () => {
    const said = "waiting for worker 1 h2 10.0.0.12 unreachable: no answer at port 50062\n";
    const waiting = host({ properties: { ActiveState: "activating", SubState: "start-pre" }, said });
    expect((await systemdService.observe(waiting, want, want))?.settling).toBe(`starting: ${said.trim()}`);
  });

  test("beside a package's unit foreign drop-ins are left alone", async () => {
    const shipped = systemdService.inputs.parse({ name: "x.service", dropIns: { "a.conf": "1" } });
    const seen = await systemdService.observe(
      host({ files: { [`${places.dropIns}/o.conf`]: "x", [`${places.dropIns}/a.conf`]: "1" } }),
      shipped,
      undefined,
    );
    expect(seen?.config).toMatchObject({ dropIns: { "a.conf": "1" } });
    expect(seen?.config.unit).toBeUndefined();
  });
});

describe("apply", () => {
  test("on a bare host: files, reload, environment, enable, start, proof", () => {
    expect(steps(systemdService.apply(want, undefined, context()))).toEqual([
      expect.stringContaining("install -d"),
      expect.stringContaining("write /run/gpu-hosts/x.service.owed"),
      expect.stringContaining(`write ${places.unit} `),
      expect.stringContaining(`write ${places.link} `),
      "systemctl daemon-reload",
      expect.stringContaining(`write ${places.environment} (0600`),
      "systemctl enable x.service",
      expect.stringContaining("systemctl start --no-block x.service"),
      expect.stringContaining("write /run/gpu-hosts/x.service.owed"),
      "wait for x.service to be active (1200 s)",
      "delete /run/gpu-hosts/x.service.owed",
    ]);
  });

  const from = async (on: On, wanted = want) =>
    steps(systemdService.apply(wanted, await systemdService.observe(host(on), wanted, wanted), context()));

  test("on a host as wanted: nothing", async () => {
    expect(await from({})).toEqual([]);
  });

  test("what needs no restart makes none", async () => {
    expect(await from({ properties: { NeedDaemonReload: "yes" } })).toEqual(["systemctl daemon-reload"]);
    expect(await from({ properties: { UnitFileState: "disabled" } })).toEqual(["systemctl enable x.service"]);
    expect(await from({}, { ...want, running: false })).toEqual(["systemctl stop x.service"]);
    expect(await from({}, { ...want, enabled: false })).toEqual(["systemctl disable x.service"]);
  });

  test("a changed unit is hung anew where its [Install] section says", async () => {
    const other = { ...want, unit: text.replace("multi-user", "default") };
    expect(await from({}, other)).toContain("systemctl reenable x.service");
  });

  test("no secret stands in a command", () => {
    const secret = wantOf({ environment: { TOKEN: "s3cret" } });
    expect(steps(systemdService.apply(secret, undefined, context())).join("\n")).not.toContain("s3cret");
  });
});

describe("remove", () => {
  test("takes away what is ours", async () => {
    const have = await systemdService.observe(host(), want, want);
    if (!have) throw new Error("nothing observed");
    const all = steps(systemdService.remove(have, context()));
    expect(all.slice(0, 3)).toEqual([
      "systemctl stop x.service",
      "systemctl disable x.service",
      `delete ${places.unit}`,
    ]);
    expect(all).toContain(`delete ${places.environment}`);
  });

  test("brings back the unit that was there, running as it was", async () => {
    const have = await systemdService.observe(host(), want, want);
    if (!have) throw new Error("nothing observed");
    const all = steps(systemdService.remove(have, context({ unit: "old", enabled: true, running: true })));
    expect(all).toContain(`write ${places.unit} (0644 root:root, 3 bytes)`);
    expect(all.at(-1)).toBe("systemctl restart --no-block x.service");
    expect(all).not.toContain("systemctl disable x.service");
  });
});

describe("obstacles", () => {
  const tcp = (port: number) => ({ readiness: { kind: "tcp", port } });
  const found = async (wanted: Want, listeners: Record<number, readonly string[]>) => {
    const entries = Object.entries(listeners).map(([port, lines]) => [
      keyOf(listenersOn(Number(port)).command),
      lines.map((line) => `${line}\n`).join(""),
    ]);
    return (await systemdService.obstacles?.(fakeHost(Object.fromEntries(entries)), wanted)) ?? [];
  };

  test("a port that another process holds, told once for all its addresses, and its unit", async () => {
    const nginx = "/system.slice/nginx.service\tnginx (pid 7, nginx.service, since 2026-11-21 15:25:57 UTC)";
    expect(
      await found(wantOf(tcp(8080)), { 8080: [`0.0.0.0:8080\t${nginx}`, `[::]:8080\t${nginx}`] }),
    ).toEqual([
      {
        what: "port 8080 is taken by nginx (pid 7, nginx.service, since 2026-11-21 15:25:57 UTC) at 0.0.0.0:8080, [::]:8080",
        cure: "stop it (systemctl disable --now nginx.service), or give this service another port",
        item: "unit nginx.service",
      },
    ]);
  });

  test.each([
    ["/a.slice/session-1.scope\tpython3 (pid 7, session-1.scope, since …)", /^stop that, or/],
    [
      "/system.slice/docker.service\tdocker-proxy (pid 7, docker.service, since …)",
      /`docker ps --filter publish=8080`/,
    ],
    [
      "/system.slice/docker-0af3.scope\tnode (pid 7, docker-0af3.scope, since …)",
      /`docker ps --filter publish=8080`/,
    ],
    ["\t", /^stop that, or/],
  ])("how to get it back from %s", async (holder, cure) => {
    const [first] = await found(wantOf(tcp(8080)), { 8080: [`0.0.0.0:8080\t${holder}`] });
    expect(first?.cure).toMatch(cure);
  });

  test.each<[string, Want, Record<number, readonly string[]>]>([
    [
      "its own process, also in a group below its unit",
      wantOf(tcp(1)),
      { 1: ["*:1\t/system.slice/x.service/sub\tx"] },
    ],
    ["its own socket", wantOf(tcp(1)), { 1: ["*:1\t/x.service/x.socket\tsystemd for x.socket"] }],
    ["a unit that is not to run", wantOf({ ...tcp(1), running: false }), {}],
    ["a service on another machine", wantOf({ readiness: { kind: "http", url: "http://10.0.0.9:80" } }), {}],
  ])("none: %s", async (_, wanted, listeners) => {
    expect(await found(wanted, listeners)).toEqual([]);
  });

  test("a completion's port counts, and those of a socket", async () => {
    const other = "\t/system.slice/o.service\to (pid 7, o.service, since …)";
    const readiness = { kind: "completion", url: "http://127.0.0.1:8080", model: "m" };
    expect(await found(wantOf({ readiness }), { 8080: [`0.0.0.0:8080${other}`] })).toHaveLength(1);
    const socket = systemdService.inputs.parse({
      name: "x.socket",
      unit: "[Socket]\nListenStream=10.0.0.7:9001\nListenStream=9002\nListenStream=/run/x\n[Install]\n",
    });
    const both = { 9001: [`*:9001${other}`], 9002: [`*:9002${other}`] };
    expect(await found(socket, both)).toHaveLength(2);
  });
});

describe("inputs", () => {
  const issues = (input: Record<string, unknown>) =>
    systemdService.inputs
      .safeParse({ name: "x.service", ...input })
      .error?.issues.map(({ path }) => path.join("."));

  test.each([
    [{ name: "x" }, "name"],
    [{ unit: "[Service]\n" }, "enabled"],
    [{ environment: { A: "1\n2" } }, "environment.A"],
    [{ environment: { GPU_HOSTS_X: "1" } }, "environment.GPU_HOSTS_X"],
    [{ pending: { restart: "x" } }, ""],
    [{ diagnose: ["true"] }, ""],
    [{ name: "x.timer", environment: { A: "1" } }, "environment"],
    [{ dropIns: { "../x": "" } }, "dropIns.../x"],
  ])("%j is refused", (input, path) => {
    expect(issues(input)).toEqual([path]);
  });
});
