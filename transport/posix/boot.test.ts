import { expect, test } from "vitest";
import { bootIdentity } from "./boot.ts";

const identity = (stdout: string) => bootIdentity.parse({ exitCode: 0, stdout, stderr: "" });
const id = "0c0b1f5e-6a8e-4b9e-9d60-1f0a51a3b0a7";
const stat = (name: string, start: number) =>
  `1 (${name}) S 0 1 1 0 -1 4194560 31416 2718 84 161 212 157 9 4 20 0 1 0 ${start} 171003904 2985 18446744073709551615\n`;

test("boot id and start time of PID 1 together", () => {
  expect(identity(`${id}\n${stat("systemd", 27)}`)).toBe(`${id} 27`);
});

test("a process name with spaces and brackets does not shift the fields", () => {
  expect(identity(`${id}\n${stat("a) (b c", 4711)}`)).toBe(`${id} 4711`);
});

test("a container that restarts has the same boot id and another identity", () => {
  expect(identity(`${id}\n${stat("systemd", 1)}`)).not.toBe(identity(`${id}\n${stat("systemd", 2)}`));
});

test("an answer without them is refused", () => {
  expect(() => identity("")).toThrow("missing");
});
