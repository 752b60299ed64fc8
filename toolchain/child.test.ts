import { expect, test } from "vitest";
import { runChild } from "./child.ts";

test("lines arrive as they come", async () => {
  const lines: string[] = [];
  await runChild("sh", ["-c", "echo one; echo two >&2"], {
    timeoutSeconds: 30,
    onLine: (line) => lines.push(line),
  });
  expect(lines.sort()).toEqual(["one", "two"]);
});

test("a failure carries exit code and last lines", async () => {
  await expect(runChild("sh", ["-c", "echo why; exit 3"], { timeoutSeconds: 30 })).rejects.toThrow(
    /exit code 3\nwhy/,
  );
});

test("the time limit also ends what the child has started", async () => {
  // The grandchild keeps the pipe open, so that the wait ends only with it.
  await expect(runChild("sh", ["-c", "sleep 300 & sleep 300"], { timeoutSeconds: 0.3 })).rejects.toThrow(
    "took more than",
  );
});
