import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runningFiles } from "./running-files.ts";

const recorded = readFileSync(new URL("fixtures/running-files.debian12.txt", import.meta.url), "utf8");
const read = (stdout: string) => runningFiles("a-nap@1.service").parse({ exitCode: 0, stdout, stderr: "" });

// On a Debian 12: after the start the program was replaced, and the model deleted and written anew.
test("a program and a model that are no longer those at their paths", () => {
  const [process, ...others] = read(recorded);
  expect(others).toEqual([]);
  expect(process).toMatchObject({
    pid: 342,
    began: 1795520340,
    environment: expect.stringMatching(/^c49c01ed/),
  });
  expect(process?.files.filter(({ stale }) => stale).map(({ path }) => path)).toEqual([
    "/opt/run/model",
    "/opt/run/napper",
  ]);
  expect(process?.files.filter(({ program }) => program).map(({ path }) => path)).toEqual([
    "/opt/run/napper",
  ]);
  expect(process?.files.map(({ path }) => path)).toContain("/usr/lib/x86_64-linux-gnu/libc.so.6");
});

test("another file at a path that was not deleted is stale too: it was bound or moved over it", () => {
  const stdout = recorded.replaceAll(/(?<=^now\t)\S+(?=\t.*libc\.so\.6$)/gm, "1:2");
  expect(read(stdout)[0]?.files).toContainEqual({
    path: "/usr/lib/x86_64-linux-gnu/libc.so.6",
    program: false,
    stale: true,
  });
});

test("nothing runs", () => {
  expect(read("")).toEqual([]);
});
