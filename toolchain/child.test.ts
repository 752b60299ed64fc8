import { expect, test } from "vitest";
import { runChild } from "./child.ts";

test("lines arrive as they come", async () => {
  const lines: string[] = [];
  await runChild("sh", ["-c", "echo one; echo two >&2"], {
    timeoutSeconds: 5,
    onLine: (line) => lines.push(line),
  });
  expect(lines.sort()).toEqual(["one", "two"]);
});

test("a failure carries exit code and last lines", async () => {
  await expect(runChild("sh", ["-c", "echo why; exit 3"], { timeoutSeconds: 5 })).rejects.toThrow(
    /exit code 3\nwhy/,
  );
});

test("the time limit also ends what the child has started", async () => {
  const start = Date.now();
  // The grandchild keeps the pipe open, so that the wait ends only with it.
  await expect(runChild("sh", ["-c", "sleep 30 & sleep 30"], { timeoutSeconds: 0.3 })).rejects.toThrow(
    "took more than",
  );
  expect(Date.now() - start).toBeLessThan(10_000);
});
