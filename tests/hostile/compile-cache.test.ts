import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";

const provider = join(import.meta.dirname, "../../provider");

/** What the neighbour made before the operator's Node looked: the temporary folder that everybody shares. */
let temporary: string;
let ran: string;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "hostile-"));
  ran = join(temporary, "ran");
});
afterEach(() => rmSync(temporary, { recursive: true, force: true }));

/** Runs Node until it prints its first line, then ends it as the engine does. */
async function start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const { NODE_COMPILE_CACHE: _, ...rest } = process.env;
  const child = spawn(process.execPath, args, {
    env: { ...rest, TMPDIR: temporary, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const gone = once(child, "exit");
  await once(child.stdout, "data");
  child.stdin.end();
  await gone;
}

/** Puts a line in front of what Node has cached of a TypeScript file, with size and checksum to match. */
function poison(folder: string, part: string, line: string): void {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  // Five numbers of four bytes (magic, size and checksum of the source, of what is cached), then what is
  // cached.
  for (const entry of entries) {
    const [header, cached] = [readFileSync(entry).subarray(0, 20), readFileSync(entry).subarray(20)];
    if (!cached.includes(part)) continue;
    const changed = Buffer.concat([Buffer.from(`${line}\n`), cached]);
    header.writeUInt32LE(changed.length, 8);
    header.writeUInt32LE(crc32(changed), 16);
    writeFileSync(entry, Buffer.concat([header, changed]));
  }
}

test("a compile cache that somebody laid into the temporary folder runs nothing", async () => {
  const cache = join(temporary, "node-compile-cache");
  const load = `await import(${JSON.stringify(join(provider, "index.ts"))})`;
  await start(["--input-type=module", "--eval", load], { NODE_COMPILE_CACHE: cache });
  poison(
    cache,
    "function takeConfig()",
    `process.getBuiltinModule("fs").writeFileSync(${JSON.stringify(ran)}, "");`,
  );
  // The attempt is a true one: a Node that takes this folder runs the line.
  await start(["--input-type=module", "--eval", load], { NODE_COMPILE_CACHE: cache });
  expect(existsSync(ran)).toBe(true);
  rmSync(ran);

  await start([join(provider, "pulumi-resource-gpuhost"), "127.0.0.1:1"], {});
  expect(existsSync(ran)).toBe(false);
});
