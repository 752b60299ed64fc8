import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import provproto from "@pulumi/pulumi/proto/provider_pb.js";
import structproto from "google-protobuf/google/protobuf/struct_pb.js";
import { utils } from "ssh2";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeUnless } from "#tests/support/describe-lab.ts";
import { urnOf } from "#tests/support/engine.ts";

const run = promisify(execFile);
const provider = join(import.meta.dirname, "../../provider/pulumi-resource-gpuhost");
const caller = join(import.meta.dirname, "call-as-main.ts");
const [root, nobody] = ["0", "65534"];

const permissionDenied = "status 7";

const obstacle =
  process.platform === "linux" && process.getuid?.() === 0
    ? undefined
    : "two users are needed: only Linux root can become another one";

/** The host whose files somebody is after; counts who connects. */
let host: Server;
let connections: number;
let child: ChildProcess;
let port: string;
let stderr: string;

beforeEach(async () => {
  connections = 0;
  host = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
  const address = host.address() as { port: number };
  const rack1 = { platform: "linux", address: "127.0.0.1", port: address.port, sshConfig: false };
  const credentials = { rack1: { privateKey: utils.generateKeyPairSync("ed25519").private } };
  const config = { hosts: JSON.stringify({ rack1 }), credentials: JSON.stringify(credentials) };
  child = spawn(process.execPath, [provider, "127.0.0.1:1"], {
    stdio: "pipe",
    env: { ...process.env, PULUMI_CONFIG: JSON.stringify(config) },
  });
  stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [line] = (await once(child.stdout as NonNullable<ChildProcess["stdout"]>, "data")) as [Buffer];
  port = line.toString().trim();
});
afterEach(async () => {
  const gone = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
  child.stdin?.end();
  await gone;
  host.close();
});

/** Reads a file of the host that only root may read there. */
function readRequest(): string {
  const request = new provproto.ReadRequest();
  request.setUrn(urnOf("Files", "theirs"));
  request.setId("rack1:theirs");
  const files = { host: "rack1", files: { "/etc/gpu-hosts/chat/api-key": { content: "x" } } };
  request.setInputs(structproto.Struct.fromJavaScript(files));
  request.setProperties(structproto.Struct.fromJavaScript(files));
  return Buffer.from(request.serializeBinary()).toString("base64");
}

async function callAs(user: string, address: string, ...call: readonly string[]): Promise<string> {
  return (await run(process.execPath, [caller, user, address, port, ...call])).stdout.trim();
}

const readAs = (user: string, ...leave: readonly string[]) =>
  callAs(user, "127.0.0.1", "Read", readRequest(), ...leave);

describeUnless(obstacle, "another user of the operator's machine", () => {
  // The same call works for the one who may; its answer is not waited for, since the provider tries a host
  // for a while.
  test("our own user is answered, and the host is asked", async () => {
    const call = readAs(root).catch(() => undefined);
    await expect.poll(() => connections, { timeout: 20_000 }).toBeGreaterThan(0);
    expect(stderr).toBe("");
    child.kill("SIGTERM");
    await call;
  });

  test("another gets no answer, and the operator is told once", async () => {
    expect(await readAs(nobody)).toBe(permissionDenied);
    expect(await readAs(nobody)).toBe(permissionDenied);
    expect(stderr).toBe(
      "gpuhost provider: refused a connection of user 65534: only our own user is answered (SECURITY.md).\n",
    );
    expect(connections).toBe(0);
  });

  test("nor over an IPv6 socket", async () => {
    expect(await callAs(nobody, "::ffff:127.0.0.1", "GetPluginInfo")).toBe(permissionDenied);
    expect(stderr).toContain("user 65534");
    expect(await callAs(root, "::ffff:127.0.0.1", "GetPluginInfo")).toBe("status 0");
  });

  // Older kernels show a socket that no process has open any more as root's, and root runs this.
  test("nor by closing the socket before the provider looks", async () => {
    child.kill("SIGSTOP");
    expect(await readAs(nobody, "leave")).toBe("left");
    child.kill("SIGCONT");
    await expect.poll(() => stderr, { timeout: 20_000 }).toContain("refused a connection of somebody who");
    await sleep(500);
    expect(connections).toBe(0);
  });
});
