import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AnyDefinition } from "#provider/contract/resource.ts";
import { again, shown } from "#provider/contract/step.ts";
import type { Machine } from "#transport/host.ts";
import { converge, plan } from "./converge.ts";
import { errorOf, runClock } from "./testing/clock.ts";
import { actingOn } from "./testing/performing.ts";
import {
  changesOn,
  down,
  house,
  me,
  owned,
  sibling,
  stranger,
  target,
  things,
  up,
  type Want,
} from "./testing/things.ts";

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

test("brought about, with the lock before the first look and the claim before the first step", async () => {
  const { machine, kept, records } = house();
  const { steps, changes, observation, adopted } = await up(machine, { a: "1", b: "2" });
  expect(Object.fromEntries(kept)).toEqual({ a: "1", b: "2" });
  expect(steps.map(shown)).toEqual(['set {"name":"a","value":"1"}', 'set {"name":"b","value":"2"}']);
  expect(changes).toEqual([{ path: [], kind: "add", want: { things: { a: "1", b: "2" } } }]);
  expect(observation.config).toEqual({ things: { a: "1", b: "2" } });
  expect(adopted).toEqual([]);
  expect(machine.log).toEqual([
    "lock the test",
    "ask read {}",
    'ask read-owners {"items":["thing a","thing b"]}',
    "run write-owners {}",
    'run set {"name":"a","value":"1"}',
    'run set {"name":"b","value":"2"}',
    "ask read {}",
  ]);
  expect(records.get("thing a")).toEqual({ item: "thing a", owners: [me], before: null });
});

test("a second run performs nothing", async () => {
  const { machine } = house();
  await up(machine, { a: "1" });
  const before = machine.log.length;
  const { steps, changes } = await up(machine, { a: "1" }, { a: "1" });
  expect([steps, changes]).toEqual([[], []]);
  expect(machine.log.slice(before)).toEqual([
    "lock the test",
    "ask read {}",
    'ask read-owners {"items":["thing a"]}',
  ]);
});

test("`plan` says what a run would do, and changes nothing", async () => {
  const { machine } = house({ a: "0" });
  const planned = await plan(target({ a: "1", b: "2" }), machine);
  expect(planned.steps.map(shown)).toEqual(['set {"name":"a","value":"1"}', 'set {"name":"b","value":"2"}']);
  expect(planned.changes.map(({ path, kind }) => [kind, ...path])).toEqual([
    ["update", "things", "a"],
    ["add", "things", "b"],
  ]);
  expect(planned.adopted.map(({ name }) => name)).toEqual(["thing a"]);
  expect(machine.log.filter((line) => !line.startsWith("ask "))).toEqual([]);
});

test("steps that leave the host different are an error that lists the differences", async () => {
  const { machine } = house({ a: "0" }, { set: () => "" });
  const { message } = await errorOf(up(machine, { a: "1", b: "hunter2" }));
  expect(message).toBe(
    "all steps went through, yet the host still differs:\n" +
      "  things.a is 0, should be 1\n" +
      "  things.b is missing, should be [secret]",
  );
});

test("a difference to which no step leads is an error that lists it", async () => {
  const { machine } = house();
  const idle: AnyDefinition = { ...things, *apply() {} };
  const { message } = await errorOf(up(machine, { a: "1" }, undefined, me, idle));
  expect(message).toBe(
    'no step leads to what is wanted:\n  all of it is missing, should be {"things":{"a":"1"}}',
  );
});

test("without `again` there is no second round, even where the first came nearer", async () => {
  const { machine, kept } = house();
  const hesitant: AnyDefinition = {
    ...things,
    *apply(...asked: Parameters<typeof things.apply>) {
      const [first] = things.apply(...asked);
      if (first) yield first;
    },
  };
  const { message } = await errorOf(up(machine, { a: "1", b: "1" }, undefined, me, hesitant));
  expect(message).toContain("things.b is missing, should be 1");
  expect([...kept.keys()]).toEqual(["a"]);
});

/** Sets one thing a round. */
const byRounds: AnyDefinition = {
  ...things,
  *apply(want: Want, have: { config: Partial<Want> } | undefined, context: never) {
    const [first, ...more] = things.apply(want, have, context);
    if (first) yield first;
    if (more.length > 0) yield again("the next depends on it");
    yield* more;
  },
};
const letters = (count: number) =>
  Object.fromEntries([..."abcdefgh"].slice(0, count).map((letter) => [letter, "1"]));

test("`again` looks anew before what follows; five rounds are enough", async () => {
  const { machine, kept } = house();
  const { steps } = await up(machine, letters(5), undefined, me, byRounds);
  expect(kept.size).toBe(5);
  expect(steps.filter(({ kind }) => kind === "again")).toHaveLength(4);
  expect(machine.log.filter((line) => line === "ask read {}")).toHaveLength(6);
});

test("a sixth round is refused, with what is still missing", async () => {
  const { machine, kept } = house();
  const { message } = await errorOf(up(machine, letters(7), undefined, me, byRounds));
  expect(kept.size).toBe(5);
  expect(message).toBe(
    "all steps went through, yet the host still differs:\n" +
      "  things.f is missing, should be 1\n  things.g is missing, should be 1",
  );
});

test("a round after which nothing is different is the last", async () => {
  const { machine } = house({ a: "0" }, { set: () => "" });
  await errorOf(up(machine, letters(3), undefined, me, byRounds));
  expect(changesOn(machine)).toHaveLength(1);
});

test("a dropped item is undone: what stood there before comes back, what did not goes", async () => {
  const { machine, kept, records } = house({ a: "before" });
  const { adopted } = await up(machine, { a: "1", b: "1", c: "1" });
  expect(adopted.map(({ name }) => name)).toEqual(["thing a"]);
  await up(machine, { c: "1" }, { a: "1", b: "1", c: "1" });
  expect(Object.fromEntries(kept)).toEqual({ a: "before", c: "1" });
  expect([...records.keys()]).toEqual(["thing c"]);
});

test("a dropped item that others own as well is left to them", async () => {
  const { machine, kept, records } = house();
  await up(machine, { "common a": "1", b: "1" });
  await up(machine, { "common a": "1" }, undefined, sibling);
  const { steps } = await up(machine, { b: "1" }, { "common a": "1", b: "1" });
  expect(steps).toEqual([]);
  expect(kept.get("common a")).toBe("1");
  expect(records.get("thing common a")?.owners).toEqual([sibling]);
  await down(machine, { "common a": "1" }, sibling);
  expect(kept.has("common a")).toBe(false);
});

test("of two that drop a shared item at the same time one is the last, and undoes it", async () => {
  const { machine, kept } = house();
  await up(machine, { "common a": "1" });
  await up(machine, { "common a": "1" }, undefined, sibling);
  await Promise.all([down(machine, { "common a": "1" }), down(machine, { "common a": "1" }, sibling)]);
  expect(kept.size).toBe(0);
  expect(changesOn(machine).filter((line) => line.includes("clear"))).toHaveLength(1);
});

test("an item of another stack is refused before anything is touched, in a plan already", async () => {
  const { machine, kept, records } = house({ a: "theirs" });
  records.set(...owned("thing a", [stranger]));
  const words = `thing a belongs to stack gpu-hosts/lab (${stranger.urn}).`;
  expect((await errorOf(plan(target({ a: "1" }), machine))).message).toContain(words);
  expect((await errorOf(up(machine, { a: "1" }))).message).toContain(words);
  expect(machine.log.filter((line) => line.startsWith("run "))).toEqual([]);
  expect(kept.get("a")).toBe("theirs");
});

test("one under our own name that the state does not know is told", async () => {
  const { machine, records } = house();
  records.set(...owned("thing a", [{ ...me, by: "ann@laptop" }]));
  expect((await up(machine, { a: "1" })).namesakes).toEqual(["ann@laptop"]);
  expect((await plan(target({ a: "1" }, { a: "1" }), machine)).namesakes).toEqual([]);
});

test("a run that broke off is finished by the next, which still knows what stood there first", async () => {
  let isBroken = true;
  const { machine, kept } = house({ a: "before", b: "before" });
  const brittle = scriptedBreak(machine, () => isBroken);
  await errorOf(up(brittle, { a: "1", b: "1" }));
  expect(Object.fromEntries(kept)).toEqual({ a: "1", b: "before" });
  isBroken = false;
  await up(brittle, { a: "1", b: "1" }, { a: "1", b: "1" });
  await down(brittle, { a: "1", b: "1" });
  expect(Object.fromEntries(kept)).toEqual({ a: "before", b: "before" });
});

/** The same machine, whose second thing cannot be set while it is broken. */
function scriptedBreak(machine: Machine, isBroken: () => boolean): Machine {
  return {
    ...machine,
    run: async (command, options) =>
      isBroken() && "values" in command && command.values.name === "b"
        ? { exitCode: 1, stdout: "", stderr: "it broke" }
        : await machine.run(command, options),
  };
}

/** Shows what it is to become for a while before it is so. */
const settlingFor = (looks: number): AnyDefinition => {
  let left = looks;
  return {
    ...things,
    async observe(...asked: Parameters<typeof things.observe>) {
      const seen = await things.observe(...asked);
      return seen && { ...seen, settling: left-- > 0 ? "starting: hunter2 is late" : undefined };
    },
  };
};

test("what is still coming up is looked at again before it is judged", async () => {
  const { machine, kept } = house({ a: "0" });
  setTimeout(() => void kept.set("a", "1"), 3500);
  const { steps } = await up(machine, { a: "1" }, { a: "1" }, me, settlingFor(5));
  expect(steps).toEqual([]);
});

test("… for half a minute", async () => {
  const { machine } = house({ a: "0" });
  const begun = Date.now();
  await up(machine, { a: "1" }, { a: "1" }, me, settlingFor(Number.POSITIVE_INFINITY));
  // Half a minute before the step, and another after it.
  expect((Date.now() - begun) / 1000).toBeGreaterThan(60);
  expect((Date.now() - begun) / 1000).toBeLessThan(70);
  expect(changesOn(machine)).toHaveLength(1);
});

test("… said while it lasts, and ended by Ctrl-C, which says it too", async () => {
  const { machine } = house({ a: "1" });
  const brake = new AbortController();
  setTimeout(() => brake.abort(), 5000);
  const begun = Date.now();
  const acting = actingOn(machine, { signal: brake.signal });
  const definition = settlingFor(Number.POSITIVE_INFINITY);
  const error = await errorOf(runClock(converge({ ...target({ a: "1" }, { a: "1" }), definition }, acting)));
  expect(error.message).toBe("stopped by Ctrl-C; starting: [secret] is late");
  expect(acting.told).toContain("starting: [secret] is late");
  expect(Date.now() - begun).toBeLessThan(8000);
});

test("a plan says what differs now, without waiting for what is on its way", async () => {
  const { machine } = house({ a: "0" });
  const begun = Date.now();
  const definition = settlingFor(Number.POSITIVE_INFINITY);
  const { changes } = await runClock(plan({ ...target({ a: "1" }, { a: "1" }), definition }, machine));
  expect(changes).toHaveLength(1);
  expect(Date.now() - begun).toBeLessThan(5000);
});

test("removed: what was ours goes, what was there before comes back, the record forgets us", async () => {
  const { machine, kept, records } = house({ a: "before" });
  await up(machine, { a: "1", b: "1" });
  await down(machine, { a: "1", b: "1" });
  expect(Object.fromEntries(kept)).toEqual({ a: "before" });
  expect(records.size).toBe(0);
});

test("removing what the machine has as another stack's is refused, with both ways out", async () => {
  const { machine, kept, records } = house({ a: "1" });
  records.set(...owned("thing a", [stranger]));
  const { message } = await errorOf(down(machine, { a: "1" }));
  expect(message).toContain(
    "thing a is ours by the state, yet the machine has it as that of stack gpu-hosts/lab",
  );
  expect(message).toContain("takeOver: [gpu-hosts/lab]");
  expect(message).toContain(`pulumi state delete '${me.urn}'`);
  expect(kept.get("a")).toBe("1");
});

test("nothing is left to remove on a machine that lost it all", async () => {
  const { machine, records } = house();
  records.set(...owned("thing a", [me]));
  await down(machine, { a: "1" });
  expect(changesOn(machine)).toEqual([]);
  expect(records.size).toBe(0);
});
