import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { keyOf } from "#transport/command.ts";
import { unitInEffect } from "./unit-in-effect.ts";

const fact = unitInEffect("a-nap@1.service");
const recorded = readFileSync(new URL("fixtures/unit-in-effect.debian12.txt", import.meta.url), "utf8");
const read = (stdout: string) => fact.parse({ exitCode: 0, stdout, stderr: "" });

// On a Debian 12: the fragment replaced by a symlink, a drop-in of the template in /run, `systemctl
// set-property`, and a drop-in of the prefix that was written after the last daemon-reload.
test("all that systemd merges into a unit, and what waits for a reload", () => {
  const unit = read(recorded);
  expect(unit).toMatchObject({
    load: "loaded",
    fragment: "/etc/systemd/system/a-nap@.service",
    dropIns: [
      "/run/systemd/system/a-nap@.service.d/nice.conf",
      "/etc/systemd/system.control/a-nap@1.service.d/50-MemoryMax.conf",
    ],
    needsReload: true,
    transient: false,
    starts: [{ program: "/bin/sh", line: "/bin/sh -c exec 7</opt/run/model; exec /opt/run/napper 1000" }],
  });
  expect(unit.files.get(unit.fragment)).toMatchObject({
    type: "symlink",
    target: "/root/a-nap@.service",
    merged: true,
  });
  expect(unit.files.get(unit.fragment)?.text).toContain("[Service]\nExecStart=");
  expect(unit.files.get("/etc/systemd/system/a-.service.d/late.conf")).toMatchObject({
    type: "file",
    mode: "644",
    owner: "root:root",
    text: "[Service]\nNice=6\n",
    merged: false,
  });
});

test("a unit that is not there has nothing", () => {
  // Recorded on Debian 12.
  const none = "LoadState=not-found\nFragmentPath=\nDropInPaths=\nNeedDaemonReload=no\nTransient=no\n";
  expect(read(none)).toMatchObject({ load: "not-found", fragment: "", starts: [] });
});

test("drop-ins are looked for under all names that systemd.unit(5) has", () => {
  const places = keyOf(fact.command).split("\n")[0];
  for (const name of ["a-nap@1.service.d", "a-nap@.service.d", "a-.service.d", "service.d"])
    expect(places).toContain(`/run/systemd/system/${name}`);
});
