import { expect, test } from "vitest";
import { sh } from "./command.ts";
import { failureText, HostError, lastLines, shortened } from "./errors.ts";

const gpu1 = { name: "gpu1", target: "root@10.99.0.11" };

test("a failed command names host, command and code, then what it said", () => {
  const stderr = "Job for vllm.service failed because the control process exited with error code.\n";
  expect(
    failureText(gpu1, sh`systemctl restart vllm.service`, { exitCode: 1, stdout: "noise", stderr }),
  ).toBe(
    `gpu1 (root@10.99.0.11): systemctl restart vllm.service failed with exit code 1\n  ${stderr.trim()}`,
  );
});

test("stdout is shown where stderr is empty; nothing where both are", () => {
  expect(failureText(gpu1, sh`x`, { exitCode: 2, stdout: "said here\n", stderr: " \n" })).toContain(
    "\n  said here",
  );
  expect(failureText(gpu1, sh`x`, { exitCode: 2, stdout: "", stderr: "" })).toBe(
    "gpu1 (root@10.99.0.11): x failed with exit code 2",
  );
});

test("a signal is called a signal", () => {
  expect(failureText(gpu1, sh`x`, { exitCode: 137, stdout: "", stderr: "" })).toContain(
    "was ended by signal 9",
  );
});

test("only the last lines are shown, and long ones are cut", () => {
  const text = Array.from({ length: 50 }, (_, i) => `line ${i}`).join("\n");
  expect(lastLines(text).split("\n")).toHaveLength(8);
  expect(lastLines(text)).toContain("  line 49");
  expect(lastLines("x".repeat(5000)).length).toBeLessThan(320);
});

test("a script is shown as one short line", () => {
  expect(
    shortened(sh`set -e
    echo one

    echo two`),
  ).toBe("set -e; echo one; echo two");
  expect(shortened({ text: "y".repeat(1000) })).toHaveLength(161);
});

test("a HostError says host, what and cure in its message, and keeps them apart", () => {
  const error = new HostError(gpu1, "auth", "let root in with no key\n  tried a", "add a key\nor an agent");
  expect(error.message).toBe(
    "gpu1 (root@10.99.0.11): let root in with no key\n  tried a\n  add a key\n  or an agent",
  );
  expect(error).toMatchObject({
    host: "gpu1",
    target: gpu1.target,
    kind: "auth",
    hint: "add a key\nor an agent",
  });
});
