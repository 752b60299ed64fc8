import { execFile, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test as each, expect } from "vitest";
import { groupOf, renderGroup } from "./group.ts";
import { service } from "./samples.ts";

// The scripts run on Linux machines; elsewhere their tools differ.
const test = each.skipIf(process.platform !== "linux");

/** The shell of the machines, stricter than bash. */
const dashPath = "/bin/dash";

const scripts = ["build", "gate", "member", "members", "worker"] as const;
const group = groupOf("big", service({ workers: ["rack2", "rack3"] }), (host) => `10.0.0.1${host.at(-1)}`);
const ours = group.generation;
const build = "libggml0-backend-rpc=0.27.0 llama.cpp=1:0.7.0+dfsg-2";

let folder: string;
let bin: string;
let file: string;

beforeEach(() => {
  more = {};
  folder = mkdtempSync(join(tmpdir(), "gpu-hosts-llamacpp-"));
  bin = join(folder, "bin");
  file = join(folder, "group");
  mkdirSync(bin);
  mkdirSync(join(folder, "run"));
  for (const name of scripts) {
    copyFileSync(new URL(`${name}.sh`, import.meta.url), join(folder, name));
    chmodSync(join(folder, name), 0o755);
  }
  writeFileSync(file, renderGroup(group));
  stub("dpkg-query", String.raw`printf 'llama.cpp=1:0.7.0+dfsg-2\nlibggml0-backend-rpc=0.27.0\n'`);
  stub("sleep", "exec /bin/sleep 0.02");
  // What a worker answers is a file named after its address; none: nobody is there.
  stub(
    "curl",
    `for url; do :; done; at=\${url#http://}; cat "${folder}/answer-\${at%%:*}" 2>/dev/null || exit 7`,
  );
  stub(
    "llama-server",
    `cat "${folder}/devices-\${2%%:*}" 2>/dev/null || { echo "Failed to connect to $2"; exit 134; }`,
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

function stub(name: string, body: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}

/** At once, as a gate may be looking. */
function place(name: string, text: string): void {
  writeFileSync(join(folder, `${name}.new`), text);
  renameSync(join(folder, `${name}.new`), join(folder, name));
}

function answers(host: string, member: { generation?: string; build?: string }): void {
  const { address, index } =
    group.members.find((member) => member.host === host) ?? group.members[0] ?? expect.fail();
  const note = { group: "big", generation: ours, index, build, ...member };
  place(`answer-${address}`, `${JSON.stringify(note)}\n`);
}

function lends(host: string): void {
  const address = group.members.find((member) => member.host === host)?.address;
  place(`devices-${address}`, `Available devices:\n  RPC0: ${address}:50052 (7957 MiB, 7957 MiB free)\n`);
}

let more: Record<string, string> = {};
const environment = () => ({
  ...more,
  PATH: `${bin}:/usr/bin:/bin`,
  LC_ALL: "C",
  GPU_HOSTS_GENERATION: ours,
  RUNTIME_DIRECTORY: join(folder, "run"),
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const dash = (name: string, ...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const child = execFile(
      dashPath,
      [join(folder, name), ...args],
      { env: environment(), timeout: 20_000 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    );
    child.stdin?.end();
  });

test("build prints the versions in one line, in the order of the names", async () => {
  expect((await dash("build", file)).stdout).toBe(`${build}\n`);
});

test("build asks for the packages of the group file, one word each, and adds the libraries that came along", async () => {
  stub(
    "dpkg-query",
    `echo "$4 $5 $6" >>${folder}/asked
case $* in
*'libllama[0-9]'*) printf 'libllama0=1:0.7.0\\nlibllama1=\\nlibggml0=0.27.0\\nlibggml0-backend-vulkan=0.27.0\\n' ;;
*) printf 'llama.cpp=1:0.7.0\\nlibggml0-backend-rpc=0.27.0\\n' ;;
esac`,
  );
  expect((await dash("build", file)).stdout).toBe(
    "libggml0-backend-rpc=0.27.0 libggml0=0.27.0 libllama0=1:0.7.0 llama.cpp=1:0.7.0\n",
  );
  expect(readFileSync(join(folder, "asked"), "utf8").split("\n")[0]).toBe(
    "libggml0-backend-rpc llama.cpp llama.cpp-tools-extra",
  );
});

test("build names one that is installed as a whole, and asks nobody", async () => {
  stub("dpkg-query", "echo never");
  writeFileSync(file, "group big\nbuild b11669, source 0123456789ab\n");
  expect((await dash("build", file)).stdout).toBe("b11669, source 0123456789ab\n");
});

test("worker notes its generation and build, says them, and becomes the RPC server", async () => {
  stub("ggml-rpc-server", 'echo "server:" "$@"');
  const { stdout, code } = await dash("worker", file, "1", "--host", "10.0.0.12", "--port", "50052");
  expect(code).toBe(0);
  expect(stdout).toBe(
    `worker 1 of big: generation ${ours}, build ${build}\nserver: --host 10.0.0.12 --port 50052\n`,
  );
  expect(JSON.parse(readFileSync(join(folder, "run/member.json"), "utf8"))).toEqual({
    group: "big",
    generation: ours,
    index: 1,
    build,
  });
});

test("worker finds the RPC server by its older name", async () => {
  stub("rpc-server", "echo older");
  expect((await dash("worker", file, "1")).stdout).toContain("older\n");
});

test("a build of its own is what worker and gate run, whatever else is installed", async () => {
  for (const name of ["ggml-rpc-server", "llama-server"]) stub(name, "echo wrong one; exit 1");
  more = { GPU_HOSTS_BUILD: join(folder, "own") };
  mkdirSync(join(folder, "own"));
  stub("../own/rpc-server", "echo own");
  expect((await dash("worker", file, "1")).stdout).toContain("own\n");
  stub("../own/llama-server", `cat "${folder}/devices-\${2%%:*}"`);
  for (const host of ["rack2", "rack3"]) {
    answers(host, {});
    lends(host);
  }
  expect((await dash("gate", file)).code).toBe(0);
});

test("worker without an RPC server says what is missing", async () => {
  const { code, stderr } = await dash("worker", file, "1");
  expect(code).toBe(127);
  expect(stderr).toContain("neither ggml-rpc-server nor rpc-server is installed");
});

/** The responder as systemd runs it: the connection is its stdin and stdout. */
function ask(request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(dashPath, [join(folder, "member"), join(folder, "run/member.json")], {
      env: environment(),
    });
    let answer = "";
    child.stdout.on("data", (data) => {
      answer += data;
    });
    child.on("error", reject);
    child.on("close", () => resolve(answer));
    // Left open: a client that keeps its side open must get its answer all the same.
    child.stdin.write(request);
  });
}

test("member answers an HTTP request with the note of the running worker", async () => {
  const body = '{"group":"big"}\n';
  writeFileSync(join(folder, "run/member.json"), body);
  const answer = await ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  expect(answer).toBe(
    `HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
});

test("member says when no worker runs", async () => {
  expect(await ask("GET / HTTP/1.0\n\n")).toMatch(/^HTTP\/1\.0 503 .*\r\n[\s\S]*"no worker is running"/);
});

const unit = "llama-server-big.service";

/**
 * The leader's unit as systemd would show it; its process is this one, which has no generation, or a child
 * that has.
 */
function leads(shown: Record<string, string | number>): void {
  const cases = Object.entries(shown).map(([property, value]) => `--property=${property}) echo ${value} ;;`);
  stub("systemctl", `case $2 in ${cases.join(" ")} esac`);
}

/** A process that was started with a generation. */
function startedWith(generation: string): { pid: number; end: () => void } {
  const child = spawn("/bin/sleep", ["60"], { env: { GPU_HOSTS_GENERATION: generation } });
  return { pid: child.pid ?? expect.fail(), end: () => child.kill() };
}

test("members says how each member stands to a generation, the leader by what it was started with", async () => {
  answers("rack2", {});
  const process = startedWith("0ld000000000");
  leads({ SubState: "running", MainPID: process.pid, ControlPID: 0 });
  const { stdout } = await dash("members", file, ours, unit);
  process.end();
  expect(stdout).toBe(
    `group big: generation ${ours} is wanted
0 rack1 10.0.0.11 old (0ld000000000): its server runs
1 rack2 10.0.0.12 new: build ${build}
2 rack3 10.0.0.13 unreachable: no answer at port 50062
`,
  );
});

test("members tells a worker that is down from an old one, and a leader at its gate from one that serves", async () => {
  writeFileSync(join(folder, "answer-10.0.0.12"), '{"error":"no worker is running"}\n');
  answers("rack3", { generation: "0ld000000000" });
  const process = startedWith(ours);
  leads({ SubState: "start-pre", MainPID: 0, ControlPID: process.pid });
  const { stdout } = await dash("members", file, ours, unit);
  process.end();
  expect(stdout.split("\n").slice(1, 4)).toEqual([
    `0 rack1 10.0.0.11 waiting: at its gate, for workers of generation ${ours}`,
    "1 rack2 10.0.0.12 down: its worker does not run",
    `2 rack3 10.0.0.13 old (0ld000000000): build ${build}`,
  ]);
});

test("members says that the leader is down, and why as far as systemd knows", async () => {
  leads({ SubState: "auto-restart", ActiveState: "activating", MainPID: 0, ControlPID: 0 });
  const { stdout, stderr } = await dash("members", file, ours, unit);
  expect([stdout.split("\n")[1], stderr]).toEqual([
    `0 rack1 10.0.0.11 down: ${unit} is activating (auto-restart)`,
    "",
  ]);
});

test("the gate opens at once when every worker is ready", async () => {
  for (const host of ["rack2", "rack3"]) {
    answers(host, {});
    lends(host);
  }
  expect(await dash("gate", file)).toEqual({
    code: 0,
    stdout: `all workers are ready at generation ${ours}\n`,
    stderr: "",
  });
});

/** Starts the gate and lets a script of changes pass; each waits until the gate has said something new. */
function gate(changes: readonly (() => void)[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(dashPath, [join(folder, "gate"), file], { env: environment() });
    const said: string[] = [];
    const left = [...changes];
    child.stdout.on("data", (data: Buffer) => {
      said.push(...data.toString().trimEnd().split("\n"));
      // Longer than some looks of the gate, so that a line said twice would be seen.
      setTimeout(() => left.shift()?.(), 200);
    });
    child.on("error", reject);
    child.on("close", () => resolve(said));
  });
}

test("the gate waits for each late worker, says why, and says it once", async () => {
  const said = await gate([
    () => answers("rack2", { generation: "0ld000000000" }),
    () => answers("rack2", {}),
    () => {
      lends("rack3");
      answers("rack3", {});
    },
    () => lends("rack2"),
  ]);
  expect(said).toEqual([
    "waiting for worker 1 rack2 10.0.0.12 unreachable: no answer at port 50062; 2 rack3 10.0.0.13 unreachable: no answer at port 50062",
    `waiting for worker 1 rack2 10.0.0.12 old (0ld000000000): build ${build}; 2 rack3 10.0.0.13 unreachable: no answer at port 50062`,
    "waiting for worker 2 rack3 10.0.0.13 unreachable: no answer at port 50062",
    "waiting for worker 1 rack2 10.0.0.12 silent: its RPC server at port 50052 shows no device: Failed to connect to 10.0.0.12:50052",
    `all workers are ready at generation ${ours}`,
  ]);
});

test("the gate refuses another build at the same generation", async () => {
  answers("rack2", {});
  answers("rack3", { build: "llama.cpp=1:0.6.0" });
  const { code, stdout, stderr } = await dash("gate", file);
  expect(code).toBe(1);
  expect(stdout).toBe(`waiting for worker 2 rack3 10.0.0.13 other-build: build llama.cpp=1:0.6.0\n`);
  expect(stderr).toBe(`refused: all members of a group must run the same build; here it is ${build}\n`);
});

test("the gate asks no RPC port while a worker is late", async () => {
  answers("rack2", {});
  stub("llama-server", `echo asked >>${folder}/asked; exit 1`);
  await gate([() => answers("rack3", { build: "other" })]);
  expect(() => readFileSync(join(folder, "asked"))).toThrow(/ENOENT/);
});
