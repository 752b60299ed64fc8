import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabHost } from "#lab/host.ts";
import { type Hub, startHub } from "#lab/hub.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { tinyGguf } from "#lab/tiny-gguf.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { openTerminal, type Terminal } from "#tests/support/terminal.ts";
import { pulumiFolder } from "#toolchain/install.ts";

/**
 * README's "Your first own host", typed as it stands there: in a shell on a terminal, in a copy of the
 * checkout, by somebody with an empty home. Only words in CAPITALS are replaced, and the model hub is the
 * lab's.
 */

const root = join(import.meta.dirname, "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const section = /\n## Your first own host\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? "";
const blocks = (language: string) =>
  [...section.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))].map(
    ([, text = ""]) => text,
  );

let lab: Lab;
let solo: LabHost;
let hub: Hub;
let folder: string;
let terminal: Terminal;
let words: Record<string, string>;

const checkout = () => join(folder, "gpu-hosts");

/** What an operator does with the words in capitals. */
function filledIn(text: string): string {
  const filled = Object.entries(words).reduce((all, [word, value]) => all.replaceAll(word, value), text);
  for (const word of Object.keys(words)) expect(filled).not.toContain(word);
  return filled;
}

/** Types a command and waits for the prompt; the answers are what it asks for on the way. */
async function typed(command: string, answers: readonly (readonly [RegExp, string])[] = []): Promise<string> {
  terminal.type(command);
  for (const [question, answer] of answers) {
    await terminal.seen(question, 240);
    terminal.type(answer);
  }
  const output = await terminal.seen(/\[exit \d+\] ready> $/, 280);
  expect(output).toMatch(/\[exit 0\] ready> $/);
  return output;
}

/** What somebody types who answers the questions of a line. */
const answersTo: Record<string, readonly (readonly [RegExp, string])[]> = {
  "npm run host add": [[/Is it the same\?/, "yes"]],
  "npm run service add": [[/Write chat into [^?]*\?/, "yes"]],
  "npm run up": [[/Do you want to perform this update\?[\s\S]*details/, "yes"]],
};
const answersOf = (command: string) =>
  Object.entries(answersTo).find(([start]) => command.startsWith(start))?.[1] ?? [];

function copyOfCheckout(): void {
  const left = new Set(["node_modules", ".git", ".demo", "shared"]);
  cpSync(root, checkout(), {
    recursive: true,
    filter: (path) => {
      const name = relative(root, path);
      return !left.has(name) && !name.startsWith(".lab-") && !/^Pulumi\.(?!yaml|prod\.yaml)/.test(name);
    },
  });
  symlinkSync(join(root, "node_modules"), join(checkout(), "node_modules"));
}

/** A home with a key that the machine takes, and with the CLI, which would take its time to fetch. */
function emptyHome(): string {
  const home = join(folder, "home");
  mkdirSync(join(home, ".ssh"), { recursive: true, mode: 0o700 });
  writeFileSync(join(home, ".ssh/id_ed25519"), readFileSync(solo.identityFile), { mode: 0o600 });
  const versions = dirname(dirname(pulumiFolder()));
  expect(basename(versions)).toBe("versions");
  mkdirSync(join(home, ".pulumi"));
  symlinkSync(versions, join(home, ".pulumi/versions"));
  return home;
}

const stackFile = () => join(checkout(), "Pulumi.home.yaml");

/**
 * What only the lab needs, after some commands: where its hub is, and a limit, as its model never comes to the
 * end of an answer.
 */
const labOnly: Record<string, () => void> = {
  "npm run host add": () => appendFileSync(stackFile(), `  gpu-hosts:mirrors: { hub: "${hub.url}" }\n`),
  "npm run service add": () => {
    const text = readFileSync(stackFile(), "utf8");
    const limited = text.replace(
      "engine: llamacpp\n",
      (line) => `${line}      extraArgs: [--predict, "8"]\n`,
    );
    expect(limited).not.toBe(text);
    writeFileSync(stackFile(), limited);
  },
};

describeLab("README: your first own host", () => {
  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "solo", release: "forky" }] });
    solo = lab.host("solo");
    hub = await startHub(lab.gateway);
    hub.publish("lab/tiny-GGUF", { "tiny.gguf": tinyGguf() });
    words = { "OWNER/NAME-GGUF": "lab/tiny-GGUF", USER: "ops", ADDRESS: solo.address };
    folder = mkdtempSync(join(tmpdir(), "gpu-hosts-first-"));
    copyOfCheckout();
    terminal = openTerminal("stty cols 200 rows 50; bash --noprofile --norc -i", {
      cwd: checkout(),
      env: {
        PATH: process.env.PATH,
        HOME: emptyHome(),
        LANG: "C.UTF-8",
        PS1: "[exit $?] ready> ",
        PULUMI_SKIP_UPDATE_CHECK: "true",
      },
    });
    await terminal.seen(/ready> $/);
  });
  afterAll(async () => {
    await terminal?.close();
    await hub?.close();
    await lab?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  test("its commands lead from a bare machine to a model that is verified", async () => {
    const commands = (blocks("sh")[0] ?? "").trim().split("\n");
    expect(commands.length).toBeGreaterThan(8);
    for (const command of commands) {
      await typed(filledIn(command), answersOf(command));
      Object.entries(labOnly).find(([start]) => command.startsWith(start))?.[1]();
    }
    const file = readFileSync(stackFile(), "utf8");
    expect(file).toMatch(/^encryptionsalt: /m);
    expect(file).toContain(`hostKey: ${solo.hostKey}`);
  });

  test("the model answers the request as it is written there", async () => {
    const request = (blocks("sh")[1] ?? "").trim().split("\n");
    for (const line of request.slice(0, -1)) terminal.type(filledIn(line));
    expect(await typed(filledIn(request.at(-1) ?? ""))).toContain('"role":"assistant"');
  });

  test("nothing of it is outside the copy, the home and the machine", () => {
    expect(existsSync(join(root, "Pulumi.home.yaml"))).toBe(false);
  });

  test("npm run logs shows the service's journal, in part or whole", async () => {
    const log = await typed("npm run logs home chat");
    expect(log).toMatch(/\d\d:\d\d:\d\d\.\d{3} \S+\[\d+\]: .*listening/);
    const two = await typed("npm run --silent logs home chat -- --lines 2 --host solo");
    expect(two.trim().split("\n").slice(1, -1).length).toBe(2);
    terminal.type("npm run logs home chet");
    await terminal.seen(/no service chet is deployed; the stack's state has: chat\n[\s\S]*ready> $/);
    terminal.type("npm run logs home chat -- --since 'no time'");
    await terminal.seen(/Failed to parse timestamp: no time[\s\S]*ready> $/);
  });

  test("followed, it shows what comes, through a lost connection too; Ctrl-C leaves nothing on the machine", async () => {
    const restart = () => solo.exec("systemctl restart llama-server-chat.service");
    terminal.type("npm run logs home chat -- --follow --lines 1");
    await terminal.seen(/llama-server\[\d+\]/);
    await restart();
    await terminal.seen(/systemd\[1\]: Started /);
    await solo.exec("pkill -f 'sshd(-session)?: ops'");
    await restart();
    await terminal.seen(/systemd\[1\]: Started /);
    terminal.press("\u0003");
    await terminal.seen(/ready> $/);
    expect(await solo.exec("pgrep -a journalctl || true")).toBe("");
  });
});
