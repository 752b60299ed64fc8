import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

/** The real command, against a server that stands in for the project's releases. */

let folder: string;
let server: Server;
let url: string;
/** What the server has, by file name; an error in its place is what goes wrong there. */
let files: Record<string, Buffer | "cut" | 503>;
let asked: string[];

const archive = "llama-b2-bin-ubuntu-x64.tar.gz";
const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "pin-"));
  files = {};
  asked = [];
  server = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    const file = files[path.slice(path.lastIndexOf("/") + 1)];
    if (file === undefined) response.writeHead(404).end();
    else if (file === 503) response.writeHead(503).end();
    else if (file === "cut") {
      response.writeHead(200, { "content-length": 1000 }).write("only this");
      setTimeout(() => response.destroy(), 20);
    } else response.writeHead(200, { "content-length": file.byteLength }).end(file);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/llama.cpp`;
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  server.closeAllConnections();
  server.close();
});

const stackFile = () => readFileSync(join(folder, "Pulumi.home.yaml"), "utf8");

function pin(...args: string[]): Promise<{ code: number | null; said: string }> {
  const kept = Object.entries(process.env).filter(([key]) => !/^(npm_|DEBUG$|.*_proxy$)/i.test(key));
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, "pin.ts"), ...args], {
    env: { ...Object.fromEntries(kept), GPU_HOSTS_PROJECT: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, said })));
}

const write = (build: string) =>
  writeFileSync(
    join(folder, "Pulumi.home.yaml"),
    `encryptionsalt: v1:abc
config:
  gpuhost:hosts:
    solo: { platform: linux, address: 10.0.0.9, gpus: [] } # the one in the cellar
  gpu-hosts:mirrors: { llamacpp: "${url}" }
  gpu-hosts:services:
    # What we talk to.
    chat:
      engine: llamacpp
      leader: solo
${build}      port: 8080 # of the API
`,
  );

test("a release is fetched, hashed and written; nothing else of the file changes", {
  timeout: 60_000,
}, async () => {
  files = { [archive]: randomBytes(3_000_000) };
  write(`      build:
        release:
          tag: b1 # as of spring
          archives: {}
`);
  const before = stackFile();
  const { code, said } = await pin("llamacpp", "b2", "home");
  expect(said).toContain(`${archive}: 3.0 MB, sha256 ${sha256(files[archive] as Buffer)}`);
  expect(said).toContain("services.chat.build. Next: npm run plan home");
  expect(code).toBe(0);
  expect(stackFile()).toBe(
    before.replace("tag: b1 #", "tag: b2 #").replace(
      "archives: {}",
      `archives:
            ${archive}: "${sha256(files[archive] as Buffer)}"`,
    ),
  );
  expect(asked.at(-1)).toBe(`/llama.cpp/releases/download/b2/${archive}`);
  const again = await pin("llamacpp", "b2", "home");
  expect(again.said).toContain("has it already");
});

test("another version takes the place of the one that was pinned", { timeout: 60_000 }, async () => {
  files = { [archive]: Buffer.from("two"), "llama-b3-bin-ubuntu-x64.tar.gz": Buffer.from("three") };
  write("      build: { release: { tag: b1 } }\n");
  expect((await pin("llamacpp", "b2", "home")).code).toBe(0);
  expect((await pin("llamacpp", "b3", "home")).code).toBe(0);
  expect(stackFile()).toContain(sha256(Buffer.from("three")));
  expect(stackFile()).not.toContain("llama-b2");
});

test.each<[string, Record<string, "cut" | 503>, RegExp]>([
  [
    "a file that is not there",
    {},
    /b2 has no archive for cpu on x64, which solo needs: there is nothing at http/,
  ],
  ["a server in trouble", { [archive]: 503 }, /tar\.gz: HTTP 503/],
  [
    "a connection that is cut",
    { [archive]: "cut" },
    /tar\.gz: the connection was cut after 9 of 1000 bytes; try again/,
  ],
])("%s leaves the stack file as it was", { timeout: 60_000 }, async (_what, there, why) => {
  files = there;
  write("      build: { release: { tag: b1 } }\n");
  const before = stackFile();
  const { code, said } = await pin("llamacpp", "b2", "home");
  expect(said).toMatch(why);
  expect(said).not.toContain("    at ");
  expect(code).toBe(1);
  expect(stackFile()).toBe(before);
});

test.each<[string, string[], RegExp]>([
  ["nothing", [], /name the vendor\n\nusage: npm run pin VENDOR VERSION STACK/],
  ["no stack", ["llamacpp", "b2"], /name the stack\n\nusage: npm run pin/],
  ["a stack without a file", ["llamacpp", "b2", "office"], /there is no .*Pulumi\.office\.yaml/],
])("called with %s it says how it is called", { timeout: 60_000 }, async (_what, args, why) => {
  const { code, said } = await pin(...args);
  expect(said).toMatch(why);
  expect(code).toBe(1);
});
