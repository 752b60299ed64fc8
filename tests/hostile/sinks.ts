import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Login } from "#checks/login.ts";
import type { HostEntry } from "#inventory/inventory.ts";
import { sshArguments } from "#scripts/host/ssh-arguments.ts";
import { declareStack } from "#stacks/program.ts";
import type { Configuration } from "#stacks/schema.ts";
import { type Declared, declared } from "#tests/support/declared.ts";
import { endpointOf } from "#transport/endpoint.ts";

/** All that a configuration leads to, without a host. */
export interface Landed {
  readonly configuration: Configuration;
  readonly resources: readonly Declared[];
  /** `curl` of the outputs, by service. */
  readonly curls: Readonly<Record<string, string>>;
}

export async function land(configuration: Configuration): Promise<Landed> {
  let curls: Landed["curls"] = {};
  const resources = await declared(() => {
    const { services } = declareStack(configuration);
    curls = Object.fromEntries(
      Object.entries(services as unknown as Record<string, { curl: string }>).map(([name, { curl }]) => [
        name,
        curl,
      ]),
    );
  });
  return { configuration, resources, curls };
}

/** Runs a command line of ours as an operator would paste it, with a curl that only says what it was given. */
export function curlGets(line: string): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), "curl-"));
  try {
    const shown = "#!/bin/sh\nprintf '%s\\0' \"$@\"\n";
    for (const [name, text] of [
      ["curl", shown],
      ["npx", "#!/bin/sh\necho the-key\n"],
    ] as const) {
      writeFileSync(join(folder, name), text);
      chmodSync(join(folder, name), 0o755);
    }
    mkdirSync(join(folder, "empty"));
    const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
    const { stdout, stderr } = spawnSync("sh", ["-c", line], {
      cwd: join(folder, "empty"),
      env,
      encoding: "utf8",
    });
    if (stderr !== "") throw new Error(stderr);
    return stdout.split("\0").slice(0, -1);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Words of an Exec line as systemd.service(5) has them; throws where it would expand or end something. */
function wordsOfExec(line: string): string[] {
  const words: string[] = [];
  let rest = line;
  while (rest !== "") {
    const [all, inQuotes, plain] = /^(?:"((?:[^"\\]|\\["\\])*)"|([^\s"'\\;]+))(?: |$)/.exec(rest) ?? [];
    if (all === undefined) throw new Error(`systemd would not read this as words: ${rest}`);
    const word = inQuotes?.replaceAll(/\\(["\\])/g, "$1") ?? plain ?? "";
    if (/\p{Cc}/u.test(word)) throw new Error(`a control character in ${JSON.stringify(word)}`);
    const bare = word.replaceAll("%%", "").replaceAll("$$", "");
    // biome-ignore lint/suspicious/noTemplateCurlyInString: systemd's own
    if (/[%$]/.test(bare) && word !== "${CREDENTIALS_DIRECTORY}/api-key")
      throw new Error(`systemd would expand ${word}`);
    words.push(word.replaceAll("%%", "%").replaceAll("$$", "$"));
    rest = rest.slice(all.length);
  }
  return words;
}

/** Words of the only ExecStart of a unit. */
export function execWords(unit: unknown): string[] {
  const lines = String(unit)
    .split("\n")
    .filter((line) => line.startsWith("ExecStart="));
  if (lines.length !== 1) throw new Error(`not one ExecStart:\n${unit}`);
  return wordsOfExec((lines[0] ?? "").slice("ExecStart=".length));
}

/** The same where there is no apt: the list's own lines, and nothing between that is not one word in quotes. */
function heldByLines(content: string): string[] {
  const [, list = ""] = /Package-Blacklist \{\n([\s\S]*)\n\};\n/.exec(content) ?? [];
  return list.split("\n").map((line) => {
    const [, held] = /^ {2}"([^"\n;]*)";$/.exec(line) ?? [];
    if (held === undefined) throw new Error(`apt reads more than the list: ${line}`);
    return held;
  });
}

/** What apt itself reads of the list of held packages; the file must set nothing else. */
export function heldByApt(content: string): string[] {
  if (!existsSync("/usr/bin/apt-config")) return heldByLines(content);
  const folder = mkdtempSync(join(tmpdir(), "apt-"));
  try {
    writeFileSync(join(folder, "conf"), content);
    const dump = (conf: string) =>
      execFileSync("apt-config", ["dump"], {
        encoding: "utf8",
        env: { PATH: process.env.PATH, APT_CONFIG: conf },
      }).split("\n");
    writeFileSync(join(folder, "none"), "");
    const before = new Set(dump(join(folder, "none")));
    const list = 'Unattended-Upgrade::Package-Blacklist:: "';
    return dump(join(folder, "conf"))
      .filter((line) => line !== "" && !before.has(line))
      .flatMap((line) => {
        if (line.startsWith(list)) return [line.slice(list.length, -2)];
        if (/^Unattended-Upgrade(::Package-Blacklist)? "";$/.test(line)) return [];
        if (line === 'Unattended-Upgrade::Automatic-Reboot "false";') return [];
        throw new Error(`apt reads more than the list: ${line}`);
      });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const loginOf = (name: string, entry: HostEntry, privateKey?: string): Login => ({
  endpoint: endpointOf(name, true, entry, undefined, { home: "/home/me" }),
  credentials: privateKey === undefined ? undefined : { privateKey },
  key: undefined,
});

/** How ssh is called for a host, as `npm run ssh` does; and the files for it. */
export const sshCall = ({ hosts, credentials }: Configuration, name: string) =>
  sshArguments(
    hosts[name] as HostEntry,
    [loginOf(name, hosts[name] as HostEntry, credentials[name]?.privateKey)],
    "/run/x",
  );

/** What ssh makes of a host that stands on the way to another, in the configuration written for it: key, value. */
export function readBySsh(entry: HostEntry): Readonly<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), "jump-"));
  try {
    const logins = [loginOf("gate", entry), loginOf("box", { ...entry, jump: "gate" })];
    const { files } = sshArguments({ ...entry, jump: "gate" }, logins, folder);
    for (const [path, content] of Object.entries(files)) writeFileSync(path, content);
    const args = ["-G", "-T", "-F", join(folder, "jump_hosts"), "gpu-hosts-jump-1"];
    const printed = execFileSync("ssh", args, { encoding: "utf8" });
    return Object.fromEntries(
      printed.split("\n").map((line) => [line.split(" ", 1)[0], line.replace(/^\S+ /, "")]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}
