import { expect, test } from "vitest";
import { changeLines } from "./change-text.ts";

test.each([
  [
    { path: 'files["/etc/x"].mode', kind: "update", want: "0644", have: "0600" },
    'files["/etc/x"].mode is 0600, should be 0644',
  ],
  [{ path: "running", kind: "update", want: true, have: false }, "running is false, should be true"],
  [{ path: "a", kind: "update", want: "1", have: 1 }, 'a is 1, should be "1"'],
  [{ path: "a", kind: "update", want: "two words", have: "" }, 'a is "", should be "two words"'],
  [{ path: "packages.curl", kind: "add", want: "any" }, "packages.curl is missing, should be any"],
  [{ path: "packages.vim", kind: "delete", have: "9.1" }, "packages.vim should not be there: 9.1"],
  [
    { path: "boot", kind: "finding", text: "the rules loaded at boot are others than wanted" },
    "boot: the rules loaded at boot are others than wanted",
  ],
  [{ path: "", kind: "finding", text: "it is upside down" }, "it is upside down"],
  [{ path: "", kind: "add", want: {} }, "all of it is missing, should be {}"],
  [{ path: "key", kind: "update", want: "[secret]", have: "[secret]" }, "key differs (secret)"],
] as const)("%o", (change, line) => {
  expect(changeLines(change)).toEqual([line]);
});

test.each([
  [{ kind: "update", want: "8081", have: "8080" }, "port changes from 8080 to 8081"],
  [{ kind: "add", want: "8081" }, "port is new: 8081"],
  [{ kind: "delete", have: "8080" }, "port goes: 8080"],
  [{ kind: "update", want: "[secret]", have: "[secret]" }, "port changes (secret)"],
] as const)("what the stack file asks for reads like no tampering: %o", (change, line) => {
  expect(changeLines({ path: "port", origin: "configuration", ...change })).toEqual([line]);
  expect(changeLines({ path: "port", origin: "host", ...change })).not.toEqual([line]);
});

const told = (have: string, want: string) => changeLines({ path: "t", kind: "update", want, have });

test("of long texts only the lines that differ are shown, each at its place", () => {
  const lines = (nice: string, user: string) =>
    ["[Unit]", "Description=x", "[Service]", `Nice=${nice}`, "A=1", "B=2", `User=${user}`, ""].join("\n");
  expect(told(lines("5", "x"), lines("0", "y"))).toEqual([
    "t: the text differs",
    "  from line 4:",
    "  - Nice=5",
    "  + Nice=0",
    "  from line 7:",
    "  - User=x",
    "  + User=y",
  ]);
});

test("a line that was added by hand, and one that was taken away", () => {
  expect(told("a\nnew\nb\n", "a\nb\n")).toEqual(["t: the text differs", "  from line 2:", "  - new"]);
  expect(told("a\nb\n", "a\nold\nb\n")).toEqual(["t: the text differs", "  from line 2:", "  + old"]);
});

test.each([
  ["a\nb", "a\nb\n", "  the last line does not end with a line break, should"],
  ["a\nb\n", "a\nb", "  the last line ends with a line break, should not"],
])("a line break at the end is told in words: %j, %j", (have, want, line) => {
  expect(told(have, want)).toEqual(["t: the text differs", line]);
});

test("what nobody sees is made visible", () => {
  expect(told("a\r\nb \n\u202ec\u009b\n", "a\nb\nc\n")).toEqual([
    "t: the text differs",
    "  from line 1:",
    '  - "a\\r"',
    '  - "b "',
    '  - "\\u202ec\\u009b"',
    "  + a",
    "  + b",
    "  + c",
  ]);
  expect(changeLines({ path: "t", kind: "update", want: "a", have: "a\u001b[2J\u202e" })).toEqual([
    't is "a\\u001b[2J\\u202e", should be a',
  ]);
});

const long = (flag: string) =>
  `ExecStart=/usr/bin/server ${"--quiet ".repeat(40)}${flag} ${"--model x ".repeat(40)}`.trim();

test("of a long line the words that differ are shown, in their surroundings", () => {
  for (const [have, want] of [
    [long("--port 8080"), long("--port 9090")],
    [`${long("--port 8080")}\n`, `${long("--port 9090")}\n`],
  ] as const) {
    const [first = "", ...lines] = told(have, want);
    const text = lines.length > 0 ? lines.slice(1) : first.split(", should be");
    expect(text).toEqual([
      expect.stringMatching(/….*--quiet --port 8080 --model x .*…/),
      expect.stringMatching(/….*--quiet --port 9090 --model x .*…/),
    ]);
    for (const line of text) expect(line.length).toBeLessThan(200);
  }
});

test("of a long difference its beginning and its end are shown", () => {
  const [is = "", should = ""] = (told(`${long("x")} A`, `y ${long("z")} B`)[0] ?? "").split(", should be");
  expect(is).toMatch(/^t is "ExecStart.* … .* A"$/);
  expect(should).toMatch(/^ "y ExecStart.* … .* B"$/);
});

test("a text that has nothing in common with the other takes a screenful at most", () => {
  const text = (word: string) => Array.from({ length: 3000 }, (_, i) => `${word}${i}`).join("\n");
  const lines = told(text("a"), text("b"));
  expect(lines.slice(0, 3)).toEqual(["t: the text differs", "  from line 1:", "  - a0"]);
  expect(lines.slice(9, 12)).toEqual(["  - a7", "  - … 2992 lines more", "  + b0"]);
  expect(lines).toHaveLength(20);
  const scattered = (word: string) =>
    Array.from({ length: 200 }, (_, i) => (i % 2 ? word : `line ${i}`)).join("\n");
  const many = told(scattered("a"), scattered("b"));
  expect(many).toHaveLength(26);
  expect(many.at(-1)).toMatch(/^ {2}… \d+ lines more$/);
});
