import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { keyOf } from "#transport/command.ts";
import { journal } from "./journal.ts";

const recorded = (name: string) => readFileSync(new URL(`fixtures/${name}.txt`, import.meta.url), "utf8");
const read = (stdout: string, exitCode = 0, stderr = "") =>
  journal(["it.service"], {}).parse({ exitCode, stdout, stderr });

test.each(["debian12", "debian14"])("entries of %s, oldest first", (release) => {
  const entries = read(recorded(`journal.${release}`));
  expect(entries).toHaveLength(4);
  expect(entries.map(({ time }) => time)).toEqual(entries.map(({ time }) => time).toSorted((a, b) => a - b));
  expect(entries.every(({ source }) => /^sshd(-session)?\[\d+\]$/.test(source))).toBe(true);
  expect(entries.some(({ message }) => message.startsWith("Accepted publickey for root"))).toBe(true);
});

test("bytes that are no text, and what would steer the terminal", () => {
  expect(read(recorded("journal-odd.debian12")).map(({ message }) => message)).toEqual([
    expect.stringContaining("Started odd.service"),
    "ared\ufffd",
    "bold line",
    "odd.service: Deactivated successfully.",
  ]);
});

test("nothing there is an answer, a time that journalctl does not understand is none", () => {
  expect(read("")).toEqual([]);
  // Recorded on Debian 12 and 14.
  expect(() => read("", 1, "Failed to parse timestamp: gestern\n")).toThrow(
    "Failed to parse timestamp: gestern",
  );
});

test("what is asked, quoted", () => {
  expect(keyOf(journal(["a.service", "b.service"], { lines: 5, since: "1 hour ago" }).command)).toContain(
    "--unit=a.service --unit=b.service '--since=1 hour ago' --lines=5",
  );
  expect(keyOf(journal(["a.service"], { after: "s=1;i=2" }).command)).toContain("'--after-cursor=s=1;i=2'");
});

test("a field that stands twice, once with bytes that are no text, leaves the other entries alone", () => {
  expect(read(recorded("journal-twice.debian12")).map(({ message }) => message)).toEqual([
    "Starting odd.service...",
    "one two\ufffd\ufffd!",
    "after",
    "odd.service: Deactivated successfully.",
    "Finished odd.service.",
  ]);
});
