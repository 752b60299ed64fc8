import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Verdict } from "#facts/probes/probe.ts";
import { type WaitStep, wait } from "#provider/contract/step.ts";
import { ps } from "#transport/command.ts";
import { type Answer, scriptedMachine } from "#transport/testing/scripted-machine.ts";
import { Interrupted } from "./failure.ts";
import { runClock } from "./testing/clock.ts";
import { actingOn } from "./testing/performing.ts";
import { waitFor } from "./wait.ts";

vi.mock("#provider/ground/ground-of.ts", async () => ({
  groundOf: (await import("./testing/toy-ground.ts")).toyGroundOf,
}));
vi.mock("node:timers/promises", async () => (await import("./testing/clock.ts")).promisedTimers);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const command = ps({ name: "look", text: "" });
const explain = ps({ name: "journal", text: "" });
const options = { what: "chat to answer", deadlineSeconds: 10, intervalSeconds: 2 };

/** Waits on a machine that answers each look with the next of these, the last one for ever. */
async function waitThrough(answers: readonly Answer[], step: WaitStep, brake = new AbortController()) {
  const begun = Date.now();
  let looks = 0;
  const machine = scriptedMachine({
    scripts: {
      look: () => answers[Math.min(looks++, answers.length - 1)] ?? "",
      journal: () => "the journal says so\n",
    },
  });
  const acting = actingOn(machine, { signal: brake.signal });
  const error = await runClock(waitFor(step, acting)).then(
    () => undefined,
    (error: Error) => error,
  );
  return { error, looks, told: acting.told, seconds: (Date.now() - begun) / 1000 };
}

const notYet = (stdout: string): Answer => ({ exitCode: 75, stdout });
const verdict = (state: Verdict["state"], text: string): Answer => JSON.stringify({ state, text });
const byCommand = wait({ ...options, command, explain, hint: "look at the model" });
const byQuestion = wait({
  ...options,
  ask: { name: "chat", command, parse: ({ stdout }) => JSON.parse(stdout) as Verdict },
  explain,
  hint: "look at the model",
});

/** The same three answers in both ways to wait. */
const ways = [
  {
    way: "a command",
    step: byCommand,
    ok: "" as Answer,
    later: notYet,
    no: (text: string) => ({ exitCode: 1, stderr: text }),
  },
  {
    way: "a question",
    step: byQuestion,
    ok: verdict("ok", "answered"),
    later: (text: string) => verdict("not yet", text),
    no: (text: string) => verdict("failed", text),
  },
] as const;

test.each(ways)(
  "$way: asked again until it is there, with its progress told",
  async ({ step, ok, later }) => {
    const { error, looks, told } = await waitThrough([later("loading"), later(""), ok], step);
    expect(error).toBeUndefined();
    expect(looks).toBe(3);
    expect(told).toEqual(["waiting for chat to answer: loading", "waiting for chat to answer"]);
  },
);

test.each(ways)("$way: what will not come by waiting fails at once", async ({ step, later, no }) => {
  const { error, looks } = await waitThrough([later("loading"), no("the model is broken")], step);
  expect(looks).toBe(2);
  expect(error?.message).toBe(
    "gave up waiting for chat to answer\n  the model is broken\n  looked at: journal {}\n  the journal says so",
  );
  expect(error).toMatchObject({ hint: "look at the model" });
});

test.each(ways)("$way: without progress the deadline ends it", async ({ step, later }) => {
  const { error, seconds } = await waitThrough([later("loading")], step);
  expect(error?.message).toBe(
    "waited 10 s for chat to answer without progress\n  last seen: loading\n  looked at: journal {}\n  the journal says so",
  );
  expect(seconds).toBeGreaterThan(10);
  expect(seconds).toBeLessThan(15);
});

test.each(ways)("$way: progress starts the deadline again", async ({ step, ok, later }) => {
  const slow = Array.from({ length: 20 }, (_, i) => later(`${i} of 20`));
  const { error, seconds } = await waitThrough([...slow, ok], step);
  expect(error).toBeUndefined();
  expect(seconds).toBeGreaterThan(35);
});

test("only the last line of a command is progress", async () => {
  const { told } = await waitThrough([notYet("one\ntwo\n"), ""], byCommand);
  expect(told).toEqual(["waiting for chat to answer: two"]);
});

test("Ctrl-C ends the waiting", async () => {
  const brake = new AbortController();
  setTimeout(() => brake.abort(), 5000);
  const { error, seconds } = await waitThrough([notYet("loading")], byCommand, brake);
  expect(error).toBeInstanceOf(Interrupted);
  expect(error?.message).toBe("stopped while waiting for chat to answer\n  last seen: loading");
  expect(seconds).toBeLessThan(8);
});

test("a look that hangs fails by itself", async () => {
  expect((await waitThrough(["hangs"], byCommand)).error?.message).toContain("no end within 60 s");
});
