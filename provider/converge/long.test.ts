import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type LongStep, long } from "#provider/contract/step.ts";
import type { LongLook } from "#provider/ground/ground.ts";
import { ps } from "#transport/command.ts";
import { hostError, type MachineScript, scriptedMachine } from "#transport/testing/scripted-machine.ts";
import { Interrupted } from "./failure.ts";
import { perform } from "./perform.ts";
import { errorOf, runClock } from "./testing/clock.ts";
import { actingOn } from "./testing/performing.ts";
import { workName } from "./testing/toy-ground.ts";

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

const fetch = (more: Partial<LongStep> = {}) =>
  long({
    name: "fetch",
    key: "one",
    script: ps({ name: "main", text: "" }),
    stdin: "hunter2\n",
    timeoutSeconds: 3600,
    ...more,
  });

/** A machine with background work: it writes a line a second and is done after so many. */
function workplace(lines: readonly string[], end: Partial<LongLook> = { state: "done" }) {
  const begun = new Map<string, number>();
  const seen = { starts: 0, stdin: "", isDown: false };
  const scripts: MachineScript["scripts"] = {
    "start-work": ({ name }, { stdin }) => {
      const work = String(name);
      seen.stdin = String(stdin);
      if (begun.has(work)) return "";
      seen.starts += 1;
      begun.clear();
      begun.set(work, Date.now());
      return "";
    },
    "look-at-work": ({ name, offset }) => {
      if (seen.isDown) throw hostError("lost", "the connection broke\nwith much to say of it");
      const since = begun.get(String(name));
      if (since === undefined) return JSON.stringify({ state: "failed", end: "is gone", size: 0, more: "" });
      const passed = Math.floor((Date.now() - since) / 1000);
      const log = lines
        .slice(0, passed)
        .map((line) => `${line}\n`)
        .join("");
      const state = passed > lines.length ? end : { state: "running" };
      return JSON.stringify({ ...state, size: log.length, more: log.slice(Number(offset)) });
    },
    "clean-work": ({ name }) => {
      begun.delete(String(name));
      return "";
    },
  };
  const machine = scriptedMachine({ scripts });
  return { begun, seen, machine, changes: () => machine.log.filter((line) => !line.includes("look-at")) };
}

const counted = ["10 %", "50 %", "90 %", "100 %"];

test("started, shown while it goes on, and cleared away when it is done", async () => {
  const { machine, seen, changes } = workplace(counted);
  const acting = actingOn(machine);
  await runClock(perform([fetch()], acting));
  expect(acting.told).toEqual(["run fetch in the background", ...counted]);
  expect(changes()).toEqual(['run start-work {"name":"fetch:one"}', 'run clean-work {"name":"fetch:one"}']);
  expect(seen.stdin).toBe("hunter2\n");
});

test("Ctrl-C detaches; the same key attaches to what goes on, and shows its log from the start", async () => {
  const { machine, seen, begun } = workplace(counted);
  const brake = new AbortController();
  setTimeout(() => brake.abort(), 2000);
  const error = await errorOf(runClock(perform([fetch()], actingOn(machine, { signal: brake.signal }))));
  expect(error).toBeInstanceOf(Interrupted);
  expect(error.message).toBe(
    "detached by Ctrl-C: fetch:one goes on on pc; the next up attaches to it, and stops it if its inputs changed",
  );
  expect([...begun.keys()]).toEqual([workName(fetch())]);
  const acting = actingOn(machine);
  await runClock(perform([fetch()], acting));
  expect(seen.starts).toBe(1);
  expect(acting.told.slice(1)).toEqual(counted);
});

test("another key is other work, in the place of the old", async () => {
  const { machine, seen, begun } = workplace(counted);
  const brake = new AbortController();
  setTimeout(() => brake.abort(), 2000);
  await errorOf(runClock(perform([fetch()], actingOn(machine, { signal: brake.signal }))));
  const going = runClock(perform([fetch({ key: "two" })], actingOn(machine)));
  await vi.advanceTimersByTimeAsync(100);
  expect([...begun.keys()]).toEqual(["fetch:two"]);
  await going;
  expect(seen.starts).toBe(2);
});

test("work that fails fails the step: its end, the last lines, where the whole log is", async () => {
  const lines = Array.from({ length: 30 }, (_, i) => `line ${i}`);
  const { machine, changes } = workplace([...lines, "token hunter2"], {
    state: "failed",
    end: "failed with exit code 3",
  });
  const { message } = await errorOf(runClock(perform([fetch()], actingOn(machine))));
  expect(message).toMatch(/^fetch failed with exit code 3\n {2}line 11\n(.*\n){18} {2}token \[secret\]\n/);
  expect(message).toContain("whole log: log of fetch:one");
  expect(changes().at(-1)).toContain("start-work");
});

test("work that is gone, as after a power cut, is said to be", async () => {
  const { machine, begun } = workplace(counted);
  setTimeout(() => begun.clear(), 2000);
  const { message } = await errorOf(runClock(perform([fetch()], actingOn(machine))));
  expect(message).toMatch(/^fetch is gone\n/);
});

test("a start that fails is told with what came back", async () => {
  const machine = scriptedMachine({
    scripts: { "start-work": () => ({ exitCode: 1, stderr: "no scheduler today\n" }) },
  });
  const { message } = await errorOf(runClock(perform([fetch()], actingOn(machine))));
  expect(message).toMatch(/^could not start fetch:one on the host\n {2}no scheduler today\n/);
});

test("a lost connection is outwaited: the work goes on without it", async () => {
  const { machine, seen } = workplace(counted);
  setTimeout(() => {
    seen.isDown = true;
  }, 1500);
  setTimeout(() => {
    seen.isDown = false;
  }, 60_000);
  const acting = actingOn(machine);
  await runClock(perform([fetch()], acting));
  expect(acting.told).toContain("the connection is lost, the work goes on without it: the connection broke");
  expect(acting.told.slice(-3)).toEqual(["50 %", "90 %", "100 %"]);
});

test("… for as long as a machine may take to reboot, and then says that it goes on there", async () => {
  const { machine, seen } = workplace(counted);
  seen.isDown = true;
  const begun = Date.now();
  const { message } = await errorOf(runClock(perform([fetch()], actingOn(machine))));
  expect(message).toContain(
    "fetch:one goes on on the machine if that still runs; the next up attaches to it",
  );
  expect((Date.now() - begun) / 1000).toBeGreaterThan(600);
  expect((Date.now() - begun) / 1000).toBeLessThan(610);
});

test("Ctrl-C detaches while the connection is lost as well", async () => {
  const { machine, seen } = workplace(counted);
  seen.isDown = true;
  const brake = new AbortController();
  setTimeout(() => brake.abort(), 5000);
  const error = await errorOf(runClock(perform([fetch()], actingOn(machine, { signal: brake.signal }))));
  expect(error).toBeInstanceOf(Interrupted);
});

test("an answer that is none of the work's state is an error, not a lost connection", async () => {
  const machine = scriptedMachine({
    scripts: {
      "start-work": () => "",
      "look-at-work": () => {
        throw hostError("refused", "not yours");
      },
    },
  });
  const begun = Date.now();
  const { message } = await errorOf(runClock(perform([fetch()], actingOn(machine))));
  expect(message).toMatch(/^not yours\n/);
  expect(Date.now() - begun).toBeLessThan(1000);
});

test("a line that is only half there is shown again when it is whole; one that repeats is shown once", async () => {
  const looks = [
    { state: "running", size: 3, more: "fet" },
    { state: "running", size: 8, more: "ched\n" },
    { state: "running", size: 16, more: "fetched\n" },
    { state: "done", size: 16, more: "" },
  ];
  const scripts = {
    "start-work": () => "",
    "look-at-work": () => JSON.stringify(looks.shift()),
    "clean-work": () => "",
  };
  const acting = actingOn(scriptedMachine({ scripts }));
  await runClock(perform([fetch()], acting));
  expect(acting.told).toEqual(["run fetch in the background", "fet", "fetched"]);
});
