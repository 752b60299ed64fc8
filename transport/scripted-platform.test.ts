import { createHash, randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import ssh2, { type ServerChannel, type Connection as ServerConnection } from "ssh2";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Basics } from "./basics.ts";
import { type Command, ps, type ScriptCall, sh } from "./command.ts";
import type { Dialect } from "./dialect.ts";
import { HostError } from "./errors.ts";
import { greet } from "./greet.ts";
import type { Fact } from "./host.ts";
import type { Platform } from "./platform.ts";
import { SshHost } from "./ssh-host.ts";

/**
 * A system that exists in this file alone: its shells take calls of scripts as lines of JSON. It shows that
 * nothing above dialect, opener and basics knows what a host speaks.
 */

vi.setConfig({ testTimeout: 30_000 });

/** A call of a script of this system; its text is its name. */
const call = (name: string, values: ScriptCall["values"] = {}) => ps({ name, text: name }, values);

interface ToyRequest {
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly stdin: string;
  readonly seconds: number;
}

const scriptOf = (command: Command): ScriptCall => {
  if ("script" in command) return command;
  throw new Error(`a toy cannot run shell text: ${command.text}`);
};

const line = (command: Command, seconds: number, stdin?: string | Uint8Array) => {
  const { script, values } = scriptOf(command);
  const request: ToyRequest = {
    name: script.name,
    values,
    stdin: Buffer.from(stdin ?? "").toString("base64"),
    seconds,
  };
  return `${JSON.stringify(request)}\n`;
};

const dialect: Dialect = {
  nothing: call("nothing"),
  check: (command) => void scriptOf(command),
  converse: (nonce) => ({
    first: `${nonce}\n`,
    request: ({ command, timeoutSeconds, stdin }) => line(command, timeoutSeconds, stdin),
    statement: (command) => line(command, 1000),
    // `- text` is progress; the last line `= base64` is the answer.
    answer: ({ exitCode, stdout, stderr }) => {
      const answer = stdout.toString().match(/^= (.*)$/m)?.[1] ?? "";
      return { exitCode, stdout: Buffer.from(answer, "base64"), stderr };
    },
    line: (text) => (text.startsWith("- ") ? text.slice(2) : undefined),
    mayBeLimit: (exitCode) => exitCode === 124,
  }),
};

const basics: Basics = {
  boot: { name: "boot", command: call("boot"), parse: ({ stdout }) => stdout },
  sameBoot: (one, other) => Math.abs(Number(one) - Number(other)) < 100,
  reboot: call("reboot"),
  rebootHint: "look at the toy",
  readFile: (path) => ({
    command: call("read", { path }),
    contentOf: ({ exitCode, stdout }) => {
      if (exitCode !== 0) return "refused";
      return stdout.length === 0 ? undefined : stdout.subarray(1);
    },
  }),
  writeFile(path, attributes) {
    if (!("access" in attributes)) throw new Error("a toy takes an access");
    return call("write", { path, access: attributes.access });
  },
  lock: {
    place: "the toy's lock",
    take: (holder, waitSeconds) => call("take-lock", { holder, waitSeconds }),
    holder: call("lock-holder"),
    hold: (leaseSeconds) => line(call("hold", { leaseSeconds }), 0),
  },
};

const toy: Platform = {
  system: "windows",
  basics,
  shells: ({ endpoint: { host } }) => ({
    host,
    dialect,
    most: 3,
    sessionHint: "look at the toy's sshd",
    opener: () => ({
      firstAlone: false,
      async open(exec) {
        const nonce = randomBytes(16).toString("hex");
        const channel = await exec(`toy ${nonce}`);
        const refusal = (said: string) => new HostError(host, "refused", `the toy said ${said.trim()}`);
        await greet(channel, { host, nonce, refusal });
        return channel;
      },
    }),
  }),
};

/** A key pair; ssh2 makes one in a hundred or so that it cannot read itself. */
function newKey() {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519");
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

/** The machine at the other end: an SSH server that runs toys. */
class ToyMachine {
  readonly files = new Map<string, { readonly content: Buffer; readonly access: unknown }>();
  readonly connections = new Set<ServerConnection>();
  readonly ran: string[] = [];
  boot = 1000;
  flooded = 0;
  refuses: string | undefined;
  #lock: { readonly holder: string; readonly channel: ServerChannel } | undefined;
  readonly #server: ssh2.Server;
  readonly hostKey: string;

  constructor() {
    const key = newKey();
    this.hostKey = `SHA256:${createHash("sha256")
      .update(Buffer.from(key.public.split(" ")[1] ?? "", "base64"))
      .digest("base64")
      .replace(/=+$/, "")}`;
    this.#server = new ssh2.Server({ hostKeys: [key.private] }, (client) => this.#serve(client));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  dropConnections(): void {
    for (const client of this.connections) client.end();
  }

  close(): void {
    this.dropConnections();
    this.#server.close();
  }

  #serve(client: ServerConnection): void {
    this.connections.add(client);
    client
      .on("error", () => undefined)
      .on("close", () => this.connections.delete(client))
      .on("authentication", (context) => context.accept())
      .on("session", (accept) => {
        accept().on("exec", (take, _refuse, { command }) => this.#shell(take(), command));
      });
  }

  #shell(channel: ServerChannel, command: string): void {
    if (this.refuses !== undefined) {
      channel.stderr.write(`${this.refuses}\n`);
      channel.exit(1);
      channel.end();
      return;
    }
    const greeting = `${command.slice("toy ".length)}\n`;
    channel.write(greeting);
    channel.stderr.write(greeting);
    channel.on("close", () => {
      if (this.#lock?.channel === channel) this.#lock = undefined;
    });
    let mark: string | undefined;
    let held = "";
    let turn: Promise<void> = Promise.resolve();
    channel.on("data", (chunk: Buffer) => {
      held += chunk;
      const lines = held.split("\n");
      held = lines.pop() ?? "";
      for (const text of lines) {
        if (mark === undefined) mark = text;
        else if (this.#lock?.channel !== channel) {
          const nonce = mark;
          turn = turn.then(() => this.#answer(JSON.parse(text), channel, nonce));
        }
      }
    });
  }

  #flood(channel: ServerChannel): void {
    const block = Buffer.alloc(256 * 1024, "x");
    const more = () => {
      while (!channel.destroyed && channel.writable && channel.write(block)) this.flooded += block.length;
    };
    channel.on("drain", more);
    more();
  }

  async #answer(request: ToyRequest, channel: ServerChannel, nonce: string): Promise<void> {
    this.ran.push(request.name);
    const end = (code: number, answer: string | Buffer = "", stderr = "") => {
      channel.write(`noise\n= ${Buffer.from(answer).toString("base64")}\n${nonce} ${code}\n`);
      channel.stderr.write(`${stderr}${nonce}\n`);
    };
    const { path, access, holder, text } = request.values as Record<string, string>;
    switch (request.name) {
      case "nothing":
        return end(0);
      case "echo":
        channel.write("- on it\n");
        return end(0, `${text} ${Buffer.from(request.stdin, "base64")}`);
      case "fail":
        return end(3, "", "it is broken\n");
      case "sleep":
        await sleep(request.seconds * 1000);
        return end(124);
      case "hang":
        return;
      case "flood":
        return this.#flood(channel);
      case "boot":
        return end(0, String(this.boot));
      case "reboot":
        this.boot += 5000;
        return this.dropConnections();
      case "read": {
        const file = this.files.get(path ?? "");
        return end(0, file ? Buffer.concat([Buffer.from("+"), file.content]) : "");
      }
      case "write":
        this.files.set(path ?? "", { content: Buffer.from(request.stdin, "base64"), access });
        return end(0);
      case "take-lock":
        if (this.#lock) return end(1);
        this.#lock = { holder: holder ?? "", channel };
        return end(0);
      case "lock-holder":
        return end(0, `since noon by ${this.#lock?.holder}`);
      default:
        return end(1, "", `there is no ${request.name}\n`);
    }
  }
}

const mebibyte = 1024 * 1024;

let machine: ToyMachine;
let port: number;
const hosts: SshHost[] = [];

beforeEach(async () => {
  machine = new ToyMachine();
  port = await machine.listen();
});
afterEach(() => {
  for (const host of hosts.splice(0)) host.close();
  machine.close();
});

function newHost(): SshHost {
  const endpoint = {
    host: { name: "toy1", target: "admin@127.0.0.1" },
    listed: true,
    address: "127.0.0.1",
    port,
    user: "admin",
    hostKey: machine.hostKey,
    knownAs: undefined,
    knownHosts: [],
    identityFile: undefined,
    identityFiles: [],
    identitiesNamed: false,
    identitiesOnly: false,
    certificateFiles: [],
    agent: undefined,
    jumps: [],
    proxyCommand: undefined,
  };
  const privateKey = newKey().private;
  const host = new SshHost({ endpoint, credentials: { privateKey }, via: undefined }, toy);
  hosts.push(host);
  return host;
}

const echo = (text: string): Fact<string> => ({
  name: "echo",
  command: call("echo", { text }),
  parse: ({ stdout }) => stdout.trim(),
});

const errorOf = async (work: Promise<unknown>): Promise<HostError> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof HostError)) throw new Error(`it should have failed: ${String(error)}`);
  return error;
};

test("a command runs, with stdin and progress; its failure is an exit code", async () => {
  const host = newHost();
  const lines: string[] = [];
  const command = call("echo", { text: "it's" });
  const finished = await host.run(command, { stdin: "größe", onLine: (text) => lines.push(text) });
  expect(finished).toEqual({ exitCode: 0, stdout: "it's größe", stderr: "" });
  expect(lines).toEqual(["on it"]);
  expect(await host.run(call("fail"))).toMatchObject({ exitCode: 3, stderr: "it is broken\n" });
});

test("facts asked together are one round trip, and the same one is asked once", async () => {
  const host = newHost();
  await host.run(call("nothing"));
  const before = host.roundTrips;
  expect(await Promise.all(["a", "b", "a"].map((text) => host.ask(echo(text))))).toEqual(["a", "b", "a"]);
  expect(host.roundTrips - before).toBe(1);
  expect(machine.ran.filter((name) => name === "echo")).toHaveLength(2);
});

test("a command of another system is refused before anything is sent", async () => {
  const host = newHost();
  await expect(host.run(sh`id`)).rejects.toThrow("a toy cannot run shell text: id");
  await expect(host.ask({ ...echo("x"), command: sh`id` })).rejects.toThrow("cannot run");
  expect(machine.ran).toEqual([]);
});

test("files are written and read; what is not there is undefined; attributes of another system are refused", async () => {
  const host = newHost();
  expect(await host.readFile("C:\\a")).toBeUndefined();
  const bytes = randomBytes(200_000);
  await host.writeFile("C:\\a", bytes, { access: "administrators" });
  expect((await host.readFile("C:\\a"))?.equals(bytes)).toBe(true);
  expect(machine.files.get("C:\\a")?.access).toBe("administrators");
  const posix = { mode: "0644", owner: "root:root" };
  await expect(host.writeFile("C:\\a", "", posix)).rejects.toThrow("a toy takes an access");
});

test("the lock names its holder, and goes with its connection", async () => {
  const [first, second] = [newHost(), newHost()];
  await first.lock("anna@laptop");
  expect((await errorOf(second.lock("ben@desk", 0))).message).toContain("held since noon by anna@laptop");
  first.close();
  await vi.waitFor(() => second.lock("ben@desk", 0), { timeout: 5000 });
});

test("a reboot is over when the boot is another one by the system's own measure", async () => {
  const host = newHost();
  await host.reboot(20);
  expect(machine.ran).toContain("reboot");
  expect((await host.run(call("echo", { text: "back" }))).stdout).toBe("back ");
});

test("a command over its limit says so; one that never answers costs the connection, and the next gets a new one", async () => {
  const host = newHost();
  expect(await errorOf(host.run(call("sleep"), { timeoutSeconds: 1 }))).toMatchObject({ kind: "timeout" });
  const hung = errorOf(host.run(call("hang"), { timeoutSeconds: 1 }));
  expect((await hung).message).toContain("the connection is given up");
  expect(await host.ask(echo("again"))).toBe("again");
});

test("a shell that is refused is told in the opener's words", async () => {
  machine.refuses = "this account is not an administrator";
  const error = await errorOf(newHost().run(call("nothing")));
  expect(error).toMatchObject({ kind: "refused", what: expect.stringContaining("not an administrator") });
});

test("a host that talks without end fails alone, and takes little of our memory", async () => {
  const [good, bad] = [newHost(), newHost()];
  await good.run(call("nothing"));
  const used = () => {
    const { external, arrayBuffers, heapUsed } = process.memoryUsage();
    return external + arrayBuffers + heapUsed;
  };
  const before = used();
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, used() - before);
  }, 20);
  const flooding = errorOf(bad.run(call("flood"), { timeoutSeconds: 20 }));
  expect(await good.ask(echo("still"))).toBe("still");
  const error = await flooding;
  clearInterval(watch);
  expect(error).toMatchObject({
    kind: "answer",
    what: expect.stringContaining("more than 64 MiB in answer to: flood"),
  });
  expect(most).toBeLessThan(400 * mebibyte);
  expect(machine.flooded).toBeLessThan(200 * mebibyte);
  expect(await bad.ask(echo("again"))).toBe("again");
});
