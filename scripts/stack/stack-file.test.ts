import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { configurationIn, hostsIn, withFacts, withHost, withoutService, withService } from "./stack-file.ts";

const entry = {
  fields: { platform: "linux", address: "10.0.0.9", gpus: [{ model: "NVIDIA, GB10" }] },
  lines: [
    "# A comment of its own.",
    "platform: linux",
    "address: 10.0.0.9",
    "gpus:",
    '  - { model: "NVIDIA, GB10" }',
    "# groupAddress: 192.168.7.9",
  ],
};
const block = (indent: number) =>
  ["new:", ...entry.lines.map((line) => `  ${line}`)]
    .map((line) => `${" ".repeat(indent)}${line}\n`)
    .join("");

/** Stack files as people and Pulumi write them; `▶` stands where the new host must appear, at this column. */
const files: [what: string, text: string, expected: string][] = [
  [
    "what `pulumi stack init` writes",
    "encryptionsalt: v1:ab=:v1:cd+/==\n",
    `encryptionsalt: v1:ab=:v1:cd+/==\nconfig:\n  gpuhost:hosts:\n${block(4)}`,
  ],
  [
    "without a line end",
    "encryptionsalt: v1:x",
    `encryptionsalt: v1:x\nconfig:\n  gpuhost:hosts:\n${block(4)}`,
  ],
  ["nothing at all", "", `config:\n  gpuhost:hosts:\n${block(4)}`],
  ["only comments", "# my stack\n", `# my stack\nconfig:\n  gpuhost:hosts:\n${block(4)}`],
  [
    "config: {}",
    "config: {} # none yet\nencryptionsalt: v1:x\n",
    `config: # none yet\n  gpuhost:hosts:\n${block(4)}encryptionsalt: v1:x\n`,
  ],
  [
    "config without a value",
    "config:\nencryptionsalt: v1:x\n",
    `config:\n  gpuhost:hosts:\n${block(4)}encryptionsalt: v1:x\n`,
  ],
  [
    "no inventory yet",
    "config:\n  # what is served\n  gpu-hosts:services:\n    chat: { engine: llamacpp,   leader: a } # odd   blanks\n\n# the end\nencryptionsalt: v1:x\n",
    `config:\n  # what is served\n  gpu-hosts:services:\n    chat: { engine: llamacpp,   leader: a } # odd   blanks\n  gpuhost:hosts:\n${block(4)}\n# the end\nencryptionsalt: v1:x\n`,
  ],
  [
    "an empty inventory",
    "config:\n  gpuhost:hosts: # mine\n  a:b: 1\n",
    `config:\n  gpuhost:hosts: # mine\n${block(4)}  a:b: 1\n`,
  ],
  [
    "an inventory {}",
    "config:\n  gpuhost:hosts: {}  # mine\n  a:b: 1\n",
    `config:\n  gpuhost:hosts:  # mine\n${block(4)}  a:b: 1\n`,
  ],
  [
    "hosts with comments around them",
    "config:\n  gpuhost:hosts:\n    rack1:\n      address: '10.0.0.1'   # PLACEHOLDER\n      # retire: true\n  # Secrets by machine.\n  # gpuhost:credentials:\n\n  gpu-hosts:base: {}\n",
    `config:\n  gpuhost:hosts:\n    rack1:\n      address: '10.0.0.1'   # PLACEHOLDER\n      # retire: true\n${block(4)}  # Secrets by machine.\n  # gpuhost:credentials:\n\n  gpu-hosts:base: {}\n`,
  ],
  [
    "hosts in one line each, and four blanks",
    'config:\n    gpuhost:hosts:\n        a: { address: 10.0.0.1, hostKey: "SHA256:x" }\n    b:c: "1"\n',
    `config:\n    gpuhost:hosts:\n        a: { address: 10.0.0.1, hostKey: "SHA256:x" }\n${block(8)}    b:c: "1"\n`,
  ],
  [
    "line ends of Windows",
    "config:\r\n  gpuhost:hosts:\r\n    a:\r\n      address: x\r\n# end\r\n",
    `config:\r\n  gpuhost:hosts:\r\n    a:\r\n      address: x\r\n${block(4).replaceAll("\n", "\r\n")}# end\r\n`,
  ],
  [
    "a text in several lines as the last value",
    "config:\n  gpuhost:hosts:\n    a:\n      address: |\n        x\n\nencryptionsalt: v1:x\n",
    `config:\n  gpuhost:hosts:\n    a:\n      address: |\n        x\n${block(4)}\nencryptionsalt: v1:x\n`,
  ],
  [
    "the inventory in one line",
    "config:\n  gpuhost:hosts: { a: { address: x } } # mine\n",
    'config:\n  gpuhost:hosts: { a: { address: x }, new: { platform: linux, address: 10.0.0.9, gpus: [ { model: "NVIDIA, GB10" } ] } } # mine\n',
  ],
];

describe("a host is added and nothing else changes", () => {
  test.each(files)("%s", (_, text, expected) => {
    const edited = withHost(text, "new", entry);
    expect(edited).toBe(expected);
    const { config, ...others } = parse(edited);
    const before = parse(text) ?? {};
    expect(config["gpuhost:hosts"].new).toEqual(entry.fields);
    expect({
      ...others,
      config: { ...config, "gpuhost:hosts": { ...config["gpuhost:hosts"], new: undefined } },
    }).toEqual({
      ...before,
      config: { ...before.config, "gpuhost:hosts": { ...before.config?.["gpuhost:hosts"], new: undefined } },
    });
    // A second one finds the first.
    expect(Object.keys(hostsIn(withHost(edited, "newer", entry))).slice(-2)).toEqual(["new", "newer"]);
  });
});

test.each([
  ["config:\n  gpuhost:hosts:\n   - a\n", "config.gpuhost:hosts is no map of keys"],
  ["x: &a {}\nconfig:\n  gpuhost:hosts: *a\n", "config.gpuhost:hosts is an alias"],
  ["config: [\n", "no valid YAML"],
  ["config:\n  gpuhost:hosts:\n    secure: v1:abc\n", "encrypted as a whole"],
])("what cannot be added to is refused: %j", (text, message) => {
  expect(() => hostsIn(text) && withHost(text, "new", entry)).toThrow(message);
});

describe("facts are read again", () => {
  const text = `config:
  gpuhost:hosts:
    a:
      address: x # by cable
      memoryGiB: 62.6 # two of four slots
      # Bought in 2024.
      gpus:
        - { model: NVIDIA A, memoryGiB: 24 } # the loud one
        # below the window
        - model: NVIDIA B
          memoryGiB: 12
      # retire: true

    b: { address: y } # spare
encryptionsalt: v1:x
`;

  test("the same facts change no byte", () => {
    const gpus = [
      { model: "NVIDIA A", memoryGiB: 24 },
      { model: "NVIDIA B", memoryGiB: 12 },
    ];
    expect(withFacts(text, "a", { memoryGiB: 62.6, gpus })).toBe(text);
  });

  test("a changed number, a changed card and a new field, comments kept", () => {
    const gpus = [
      { model: "NVIDIA A", memoryGiB: 24 },
      { model: "NVIDIA C", memoryGiB: 48 },
      { model: "NVIDIA D" },
    ];
    expect(withFacts(text, "a", { memoryGiB: 125.7, cpuCores: 16, gpus })).toBe(
      text
        .replace("62.6", "125.7")
        .replace(
          "- model: NVIDIA B\n          memoryGiB: 12\n",
          "- { model: NVIDIA C, memoryGiB: 48 }\n        - { model: NVIDIA D }\n",
        )
        .replace("      # retire: true\n", "      # retire: true\n      cpuCores: 16\n"),
    );
  });

  test("a card that is gone takes its line with it; the last one leaves an empty list, and back", () => {
    const one = withFacts(text, "a", { gpus: [{ model: "NVIDIA A", memoryGiB: 24 }] });
    expect(one).toBe(text.replace("        - model: NVIDIA B\n          memoryGiB: 12\n", ""));
    const none = withFacts(text, "a", { gpus: [] });
    expect(none).toContain("      # Bought in 2024.\n      gpus: []\n");
    expect(withFacts(none, "a", { gpus: [{ model: "NVIDIA Z" }] })).toContain(
      "      gpus:\n        - { model: NVIDIA Z }\n",
    );
  });

  test("an entry in one line stays one", () => {
    expect(
      withFacts(text, "b", { cpuCores: 2, gpus: [{ model: "NVIDIA Z" }], release: "Debian, or so" }),
    ).toBe(
      text.replace(
        "b: { address: y } # spare",
        'b: { address: y, cpuCores: 2, gpus: [ { model: NVIDIA Z } ], release: "Debian, or so" } # spare',
      ),
    );
  });
});

const chat = { fields: { engine: "x", port: 8080 }, lines: ["# Its engine.", "engine: x", "port: 8080"] };

test.each([
  ["nothing but a host", "config:\n  gpuhost:hosts:\n    rack1: { address: 10.0.0.1 }\n"],
  [
    "another service",
    "config:\n  # Served:\n  gpu-hosts:services:\n    # Big.\n    big:\n      port: 1 # one\n      # port: 2\n  gpu-hosts:base: {}\n",
  ],
  ["no configuration", "encryptionsalt: v1:x\n"],
  [
    "an encrypted key in the last place",
    "config:\n  gpuhost:credentials:\n    rack1:\n      sudoPassword:\n        secure: v1:abc\n",
  ],
])("a service put in and taken out again leaves the file as it was: %s", (_what, text) => {
  const added = withService(text, "chat", chat);
  expect(parse(added).config["gpu-hosts:services"].chat).toEqual(chat.fields);
  expect(added).toContain("# Its engine.");
  expect(withoutService(added, "chat")).toBe(text);
});

test("a service goes with the comments in it and right above it; its neighbours keep theirs", () => {
  const text = `config:
  gpu-hosts:services:
    # Small.
    chat:
      engine: x
      # port: 8080

    # Big.
    big: { engine: x } # flow
  gpu-hosts:base: {}
`;
  expect(withoutService(text, "chat")).toBe(`config:
  gpu-hosts:services:

    # Big.
    big: { engine: x } # flow
  gpu-hosts:base: {}
`);
  expect(withoutService(text, "big")).toBe(`config:
  gpu-hosts:services:
    # Small.
    chat:
      engine: x
      # port: 8080

  gpu-hosts:base: {}
`);
  expect(withoutService(text, "other")).toBe(text);
});

test("services written in one line with others are left to the operator", () => {
  const text = "config:\n  gpu-hosts:services: { a: { engine: x }, b: { engine: x } }\n";
  expect(() => withoutService(text, "a")).toThrow("take it out by hand");
});

test("of secrets the file tells that they are there", () => {
  const text =
    "config:\n  gpu-hosts:services:\n    chat:\n      apiKey:\n        secure: v1:abc\n      extraArgs: [a]\n";
  expect(configurationIn(text).services).toEqual({
    chat: { apiKey: "encrypted-in-the-stack-file", extraArgs: ["a"] },
  });
});
