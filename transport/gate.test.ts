import { expect, test } from "vitest";
import { openGate } from "./gate.ts";

/** Work that ends when told to, and notes when it begins. */
function work(log: string[], name: string) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const start = () => {
    log.push(name);
    return promise;
  };
  return { start, end: () => resolve(name), fail: () => reject(new Error(name)) };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 1));

test("steps without a turn run beside each other", async () => {
  const gate = openGate();
  const log: string[] = [];
  void gate.step(undefined, work(log, "a").start);
  void gate.step(undefined, work(log, "b").start);
  await settled();
  expect(log).toEqual(["a", "b"]);
});

test("steps of the same turn go one at a time, in the order they came", async () => {
  const gate = openGate();
  const log: string[] = [];
  const [a, b, c] = [work(log, "a"), work(log, "b"), work(log, "c")];
  const last = [gate.step("apt", a.start), gate.step("apt", b.start), gate.step("apt", c.start)];
  void gate.step("other", work(log, "other").start);
  await settled();
  expect(log).toEqual(["a", "other"]);
  a.end();
  await settled();
  expect(log).toEqual(["a", "other", "b"]);
  b.end();
  c.end();
  expect(await Promise.all(last)).toEqual(["a", "b", "c"]);
});

test("a failed step gives its turn to the next and reports its own error", async () => {
  const gate = openGate();
  const log: string[] = [];
  const [a, b] = [work(log, "a"), work(log, "b")];
  const first = gate.step("apt", a.start);
  const second = gate.step("apt", b.start);
  a.fail();
  await expect(first).rejects.toThrow("a");
  b.end();
  expect(await second).toBe("b");
});

test("alone waits for running steps, those of a waiting turn as well, and holds new ones", async () => {
  const gate = openGate();
  const log: string[] = [];
  const [a, b, reboot] = [work(log, "a"), work(log, "b"), work(log, "reboot")];
  void gate.step("apt", a.start);
  void gate.step("apt", b.start);
  void gate.alone(reboot.start);
  void gate.step(undefined, work(log, "free").start);
  void gate.step("apt", work(log, "apt").start);
  await settled();
  expect(log).toEqual(["a"]);
  a.end();
  await settled();
  expect(log).toEqual(["a", "b"]);
  b.end();
  await settled();
  expect(log).toEqual(["a", "b", "reboot"]);
  reboot.end();
  await settled();
  expect(log).toEqual(["a", "b", "reboot", "free", "apt"]);
});

test("two that want to be alone follow each other; a failed one releases the rest", async () => {
  const gate = openGate();
  const log: string[] = [];
  const [one, two] = [work(log, "one"), work(log, "two")];
  const first = gate.alone(one.start);
  void gate.alone(two.start);
  void gate.step(undefined, work(log, "step").start);
  await settled();
  expect(log).toEqual(["one"]);
  one.fail();
  await expect(first).rejects.toThrow("one");
  await settled();
  expect(log).toEqual(["one", "two"]);
  two.end();
  await settled();
  expect(log).toEqual(["one", "two", "step"]);
});

test("work that throws before it returns a promise counts as failed", async () => {
  const gate = openGate();
  const broken = gate.step("apt", () => {
    throw new Error("at once");
  });
  await expect(broken).rejects.toThrow("at once");
  expect(await gate.step("apt", async () => "next")).toBe("next");
});

test("work in turn goes one at a time, other names beside it, and a failure lets the next one in", async () => {
  const gate = openGate();
  const log: string[] = [];
  const piece = (name: string, milliseconds: number) => async () => {
    log.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    log.push(`${name} ends`);
  };
  const fails = gate.inTurn("owners", async () => {
    await piece("a", 20)();
    throw new Error("no");
  });
  await Promise.all([
    expect(fails).rejects.toThrow("no"),
    gate.inTurn("owners", piece("b", 5)),
    gate.inTurn("other", piece("c", 5)),
  ]);
  expect(log.indexOf("b begins")).toBeGreaterThan(log.indexOf("a ends"));
  expect(log.indexOf("c begins")).toBeLessThan(log.indexOf("a ends"));
});

test("a step inside a piece of work in turn is not locked out by a reboot that waits", async () => {
  const gate = openGate();
  const log: string[] = [];
  await gate.inTurn("owners", async () => {
    const reboot = gate.alone(async () => void log.push("reboot"));
    await gate.step(undefined, async () => void log.push("step"));
    await reboot;
  });
  expect(log).toEqual(["reboot", "step"]);
});

test("a machine does not reboot under a step of another that is reached through it", async () => {
  const bastion = openGate();
  const inner = openGate(bastion);
  const said: string[] = [];
  const hold = Promise.withResolvers<void>();
  const step = inner.step("apt", async () => {
    said.push("step");
    await hold.promise;
    said.push("step over");
  });
  const reboot = bastion.alone(async () => void said.push("reboot"));
  const later = inner.alone(async () => void said.push("later"));
  const work = inner.inTurn("x", () => inner.step(undefined, async () => void said.push("work")));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(said).toEqual(["step"]);
  hold.resolve();
  await Promise.all([step, reboot, later, work]);
  expect(said.slice(0, 3)).toEqual(["step", "step over", "reboot"]);
  expect(said).toContain("later");
  expect(said).toContain("work");
});
