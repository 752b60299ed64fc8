import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { keyOf } from "#transport/command.ts";
import { Batcher, type Question } from "./batch.ts";
import type { RawFinished } from "./dialect.ts";

const question = (text: string, timeoutSeconds = 20): Question => ({ command: { text }, timeoutSeconds });

/** Notes what is sent; each batch is answered when told to, with the text of the question. */
function recorder() {
  const sent: string[][] = [];
  const answers: (() => void)[] = [];
  const batcher = new Batcher((questions) => {
    sent.push(questions.map(({ command }) => keyOf(command)));
    const { promise, resolve } = Promise.withResolvers<void>();
    answers.push(resolve);
    return questions.map(async ({ command }): Promise<RawFinished> => {
      await promise;
      return { exitCode: 0, stdout: Buffer.from(keyOf(command)), stderr: Buffer.alloc(0) };
    });
  });
  return { batcher, sent, answer: (i: number) => answers[i]?.() };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("questions asked at the same moment travel together, the same one once", async () => {
  const { batcher, sent, answer } = recorder();
  const asked = ["a", "b", "a"].map((text) => batcher.ask(question(text)));
  await vi.waitFor(() => expect(sent).toEqual([["a", "b"]]));
  answer(0);
  expect((await Promise.all(asked)).map(({ stdout }) => stdout.toString())).toEqual(["a", "b", "a"]);
});

test("the same question with another time limit is another question", async () => {
  const { batcher, sent } = recorder();
  void batcher.ask(question("a", 1));
  void batcher.ask(question("a", 2));
  await vi.waitFor(() => expect(sent).toEqual([["a", "a"]]));
});

test("while a batch is on its way the next one gathers, and is sent when the answer is here", async () => {
  const { batcher, sent, answer } = recorder();
  void batcher.ask(question("a"));
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  void batcher.ask(question("b"));
  await pause(20);
  void batcher.ask(question("c"));
  expect(sent).toHaveLength(1);
  answer(0);
  await vi.waitFor(() => expect(sent).toEqual([["a"], ["b", "c"]]));
});

test("a question already sent is not joined: its answer may be older than what the asker did since", async () => {
  const { batcher, sent, answer } = recorder();
  void batcher.ask(question("a"));
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  void batcher.ask(question("a"));
  answer(0);
  await vi.waitFor(() => expect(sent).toEqual([["a"], ["a"]]));
});

test("a slow batch does not hold up the next one for long", async () => {
  const { batcher, sent } = recorder();
  void batcher.ask(question("slow"));
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  void batcher.ask(question("b"));
  await vi.waitFor(() => expect(sent).toEqual([["slow"], ["b"]]), { timeout: 1000 });
});

describe("what waits behind a question that hangs", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("is asked again, past it; the first answer counts", async () => {
    const { batcher, sent, answer } = recorder();
    const asked = ["hangs", "b", "c"].map((text) => batcher.ask(question(text)));
    await vi.advanceTimersByTimeAsync(4_900);
    expect(sent).toEqual([["hangs", "b", "c"]]);
    await vi.advanceTimersByTimeAsync(200);
    expect(sent.slice(1)).toEqual([["b", "c"]]);
    answer(1);
    expect((await asked[2])?.stdout.toString()).toBe("c");
    answer(0);
    expect((await asked[0])?.stdout.toString()).toBe("hangs");
  });

  test("waits longer each time: the host may be slow, and asking again is more work for it", async () => {
    const { batcher, sent } = recorder();
    for (const text of ["a", "b", "c"]) void batcher.ask(question(text));
    await vi.advanceTimersByTimeAsync(14_900);
    expect(sent).toEqual([
      ["a", "b", "c"],
      ["b", "c"],
    ]);
    await vi.advanceTimersByTimeAsync(200);
    expect(sent.slice(2)).toEqual([["c"]]);
  });
});
