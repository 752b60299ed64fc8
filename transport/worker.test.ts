import { Duplex, PassThrough } from "node:stream";
import type { ClientChannel } from "ssh2";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { sh } from "./command.ts";
import type { RawFinished } from "./dialect.ts";
import type { HostError } from "./errors.ts";
import { posixShell } from "./posix/dialect.ts";
import { Worker } from "./worker.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A shell that answers nothing by itself. */
function startWorker() {
  let said = "";
  const duplex = new Duplex({
    read: () => undefined,
    write(chunk, _encoding, done) {
      said += chunk;
      done();
    },
  });
  const stderr = new PassThrough();
  const channel = Object.assign(duplex, { stderr, close: () => void duplex.destroy() });
  const given: HostError[] = [];
  const worker = new Worker(
    { name: "gpu1", target: "root@gpu1" },
    channel as unknown as ClientChannel,
    posixShell,
    { bytesOut: 0, heardAt: 0 },
    (error) => void given.push(error),
  );
  const nonce = () => /'%s %s\\n' (\w+) /.exec(said)?.[1] ?? "";
  const run = (timeoutSeconds: number) =>
    new Promise<RawFinished>((resolve, reject) => {
      void worker.perform([{ command: sh`cat /var/log/big`, timeoutSeconds, resolve, reject }]);
    });
  const end = (code: number) => {
    duplex.push(`${nonce()} ${code}\n`);
    stderr.write(`${nonce()}\n`);
  };
  return { duplex, nonce, run, end, given };
}

test("an answer that drips without end is given up, though the host is never silent", async () => {
  const { duplex, run, given } = startWorker();
  let over: unknown;
  run(10).catch((error: unknown) => {
    over = error;
  });
  for (let second = 0; second < 100; second += 1) {
    duplex.push("x");
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(over).toBeUndefined();
  for (let second = 0; second < 100; second += 1) {
    duplex.push("x");
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(over).toMatchObject({
    kind: "timeout",
    message: expect.stringContaining("did not come to the end"),
  });
  expect(given).toHaveLength(1);
});

test("a large answer over the slowest link comes whole, however long it takes", async () => {
  const { duplex, run, end } = startWorker();
  const answer = run(10);
  for (let second = 0; second < 600; second += 1) {
    duplex.push(Buffer.alloc(16_000, "x"));
    await vi.advanceTimersByTimeAsync(1000);
  }
  end(0);
  await vi.advanceTimersByTimeAsync(10);
  expect((await answer).stdout).toHaveLength(9_600_000);
});

test("frames that nobody asked for are no answers to what is asked later", async () => {
  const { duplex, nonce, run, end } = startWorker();
  for (let i = 0; i < 3; i += 1) duplex.push(`${nonce()} 0\n`);
  await vi.advanceTimersByTimeAsync(10);
  const answer = run(10);
  await vi.advanceTimersByTimeAsync(10);
  end(5);
  await vi.advanceTimersByTimeAsync(10);
  expect((await answer).exitCode).toBe(5);
});
