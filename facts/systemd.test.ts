import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { showUnit, unitFiles } from "./systemd.ts";

const fixture = (name: string) =>
  readFileSync(new URL(`fixtures/systemd/${name}.txt`, import.meta.url), "utf8");
const finished = (stdout: string) => ({ exitCode: 0, stdout, stderr: "" });

describe.each(["debian12", "debian14"])("%s", (os) => {
  const unit = (name: string) => showUnit("x.service").parse(finished(fixture(`${name}.${os}`)));

  test("a running unit", () => {
    expect(unit("running")).toMatchObject({
      load: "loaded",
      active: "active",
      sub: "running",
      file: "enabled",
      needsReload: false,
      queued: false,
      restarts: 0,
    });
  });

  test("when it began is on the same clock as now", () => {
    const { began, now } = unit("running");
    expect(now - (began ?? 0)).toBeGreaterThanOrEqual(1);
    expect(now - (began ?? 0)).toBeLessThan(60);
  });

  test("a unit in its gate has a job, one in a crash loop has restarts", () => {
    expect(unit("start-pre")).toMatchObject({ active: "activating", sub: "start-pre", queued: true });
    const loop = unit("auto-restart");
    expect(loop).toMatchObject({
      active: "activating",
      sub: "auto-restart",
      result: "exit-code",
      exitStatus: 1,
    });
    expect(loop.restarts).toBeGreaterThan(3);
  });

  test("failed, masked, disabled, unknown", () => {
    expect(unit("failed")).toMatchObject({ active: "failed", result: "exit-code", exitStatus: 203 });
    expect(unit("masked")).toMatchObject({ load: "masked", file: "masked", active: "inactive" });
    expect(unit("disabled")).toMatchObject({ load: "loaded", active: "inactive" });
    expect(unit("not-found")).toMatchObject({ load: "not-found", file: "", began: undefined });
  });

  test("a timer, which has fewer properties", () => {
    expect(unit("timer")).toMatchObject({ active: "active", sub: "waiting", restarts: 0, exitStatus: 0 });
  });

  test("files come with content, mode and time; those that are not there are left out", () => {
    const files = unitFiles("web.service", []).parse(finished(fixture(`files.${os}`)));
    expect([...files.keys()]).toEqual([
      "/etc/systemd/system/web.service",
      "/etc/systemd/system/web.service.d/10-nice.conf",
      "/etc/gpu-hosts/env/web.service.env",
    ]);
    expect(files.get("/etc/systemd/system/web.service.d/10-nice.conf")).toMatchObject({
      text: "[Service]\nNice=5\n",
      mode: "644",
      owner: "root:root",
    });
    expect(files.get("/etc/gpu-hosts/env/web.service.env")?.mode).toBe("600");
  });
});

test("the variable with which a process was started comes last, as sed -z prints it", () => {
  const shown = showUnit("x.service", "GPU_HOSTS_STARTED_WITH");
  const stdout = `${fixture("running.debian12")}started={"unit":"32041b4590a1387a"}\n\0`;
  expect(shown.parse(finished(stdout)).started).toBe('{"unit":"32041b4590a1387a"}');
  expect(shown.parse(finished(fixture("running.debian12"))).started).toBeUndefined();
});

test("an answer that is none is an error", () => {
  expect(() => showUnit("x.service").parse(finished("now=1\n"))).toThrow(/systemctl show/);
});
