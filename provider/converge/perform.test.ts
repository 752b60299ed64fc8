import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { again, reboot, reconnect, remove, run, wait, write } from "#provider/contract/step.ts";
import { ps } from "#transport/command.ts";
import { hostError, type MachineScript, scriptedMachine } from "#transport/testing/scripted-machine.ts";
import { Interrupted } from "./failure.ts";
import { perform } from "./perform.ts";
import { errorOf, runClock } from "./testing/clock.ts";
import { actingOn } from "./testing/performing.ts";

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

const call = (name: string) => ps({ name, text: "" });
const fails = (stderr: string) => () => ({ exitCode: 3, stderr });
const fine = () => "";

/** A machine that knows these scripts, and what performing on it needs. */
function stage(scripts: MachineScript["scripts"], more: Omit<MachineScript, "scripts"> = {}) {
  const machine = scriptedMachine({ scripts, ...more });
  return { machine, acting: actingOn(machine) };
}

test("each step is told before it happens, and done in order", async () => {
  const told: string[] = [];
  const { machine } = stage({
    one: () => {
      told.push("(one happens)");
      return "line one\nline two\n";
    },
    "delete-path": fine,
  });
  const steps = [
    run(call("one"), { title: "do one", stdin: "hunter2" }),
    write("/x", "hello", { mode: "0644", owner: "root:root" }),
    remove("/y"),
    reconnect("the rules must let us in"),
    reboot("a driver wants it"),
  ];
  const acting = actingOn(machine, { report: async (line) => void told.push(line) });
  expect(await perform(steps, acting)).toBe("done");
  expect(told).toEqual([
    "do one",
    "(one happens)",
    "line one",
    "line two",
    "write /x (0644 root:root, 5 bytes)",
    "delete /y",
    "connect anew (the rules must let us in)",
    "reboot (a driver wants it)",
  ]);
  expect(machine.log).toEqual([
    "run one {}",
    "write /x",
    'run delete-path {"path":"/y"}',
    "reconnect 20",
    "reboot 2700",
  ]);
});

test("`again` ends the round: what follows waits for another look", async () => {
  const { machine, acting } = stage({ one: fine, two: fine });
  expect(await perform([run(call("one")), again("one stands"), run(call("two"))], acting)).toBe("again");
  expect(machine.log).toEqual(["run one {}"]);
});

test("Ctrl-C lets the step under way end and begins no other", async () => {
  const brake = new AbortController();
  const { machine } = stage({
    one: () => {
      brake.abort();
      return "";
    },
    two: fine,
  });
  const error = await errorOf(
    perform([run(call("one")), run(call("two"))], actingOn(machine, { signal: brake.signal })),
  );
  expect(error).toBeInstanceOf(Interrupted);
  expect(error.message).toBe("stopped by Ctrl-C after 1 of 2 steps; the next up finishes it");
  expect(machine.log).toEqual(["run one {}"]);
});

test("a step that fails stops the rest; the error says what, what came back, how far it got, what next", async () => {
  const { machine, acting } = stage({ one: fine, two: fails("it broke\n"), three: fine });
  const touched: string[] = [];
  const onStep = () => void touched.push("touched");
  const error = await errorOf(
    perform([run(call("one")), run(call("two")), run(call("three"))], { ...acting, onStep }),
  );
  expect(error.message).toBe(
    "two {} failed with exit code 3\n" +
      "  it broke\n" +
      "  1 of 3 steps were done\n" +
      "  once its cause is removed, run `up` again: it goes on from here",
  );
  expect(touched).toHaveLength(2);
  expect(machine.log).not.toContain("run three {}");
});

test("what `explain` finds and the step's own hint stand in the error", async () => {
  const { acting } = stage({ one: fails("it broke"), journal: () => "it was the cable\n" });
  const step = run(call("one"), { explain: call("journal"), hint: "plug it in", title: "start it" });
  expect((await errorOf(perform([step], acting))).message).toBe(
    "start it failed with exit code 3\n  it broke\n  looked at: journal {}\n  it was the cable\n  plug it in",
  );
});

test("an `explain` that fails costs a line, not the error", async () => {
  const { acting } = stage({ one: fails("it broke") });
  const { message } = await errorOf(perform([run(call("one"), { explain: call("journal") })], acting));
  expect(message).toContain("it broke");
  expect(message).toContain("could not look further: the test has no script journal");
});

test("the cause that the machine shows comes with its cure", async () => {
  const writeFile = async () => {
    throw hostError("refused", "disk full");
  };
  const { machine, acting } = stage({ "look-at-disk": () => "D: has 0 bytes free" }, { writeFile });
  const step = write("/data/x", "", { mode: "0644", owner: "root:root" });
  expect((await errorOf(perform([step], acting))).message).toBe(
    "disk full\n  D: has 0 bytes free\n  make room, then run `up` again",
  );
  expect(machine.log.at(-1)).toBe('run look-at-disk {"path":"/data/x"}');
});

test("… also where the step has a hint of its own", async () => {
  const { acting } = stage({ one: fails("disk full"), "look-at-disk": () => "D: has 0 bytes free" });
  const { message } = await errorOf(perform([run(call("one"), { hint: "plug it in" })], acting));
  expect(message).toMatch(/disk full\n {2}D: has 0 bytes free\n {2}make room, then run `up` again$/);
});

test("a cause that cannot be looked for leaves the error as it is", async () => {
  const { acting } = stage({ one: fails("disk full") });
  expect((await errorOf(perform([run(call("one"))], acting))).message).toMatch(/disk full\n {2}once its/);
});

test("a lost connection is passed on as it is: the machine is asked nothing more", async () => {
  const lost = hostError("lost", "disk full, says the connection");
  const { machine, acting } = stage({
    one: () => {
      throw lost;
    },
  });
  expect(await errorOf(perform([run(call("one"))], acting))).toBe(lost);
  expect(machine.log).toEqual(["run one {}"]);
});

test("a step that hangs ends at its time limit", async () => {
  const { acting } = stage({ one: () => "hangs" });
  const error = errorOf(runClock(perform([run(call("one"), { timeoutSeconds: 7 })], acting)));
  expect((await error).message).toContain("no end within 7 s");
});

test("a secret in what came back is shown nowhere", async () => {
  const { acting } = stage({ one: () => ({ exitCode: 1, stdout: "token hunter2\n", stderr: "hunter2?" }) });
  const { message } = await errorOf(perform([run(call("one"))], acting));
  expect(message).toContain("[secret]?");
  expect([message, ...acting.told].join("\n")).not.toContain("hunter2");
  expect(acting.told).toContain("token [secret]");
});

/** Scripts that note when they begin and end; each lasts as many seconds as it is told. */
function lasting(seconds: Readonly<Record<string, number>>) {
  const times: string[] = [];
  const scripts = Object.fromEntries(
    Object.entries(seconds).map(([name, lasts]) => [
      name,
      async () => {
        times.push(`${name} begins`);
        await new Promise((resolve) => setTimeout(resolve, lasts * 1000));
        times.push(`${name} ends`);
        return "";
      },
    ]),
  );
  return { times, ...stage(scripts) };
}

test("steps of one machine run side by side, those of one turn one at a time", async () => {
  const { times, acting } = lasting({ a: 3, b: 2, c: 1 });
  const all = [run(call("a"), { turn: "apt" }), run(call("b"), { turn: "apt" }), run(call("c"))];
  await runClock(Promise.all(all.map((step) => perform([step], acting))));
  const inTurn = times.filter((time) => !time.startsWith("c"));
  expect(inTurn).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  expect(times.indexOf("c ends")).toBeLessThan(times.indexOf("a ends"));
});

test("a step that wants to be alone waits for the others, and holds new ones", async () => {
  const { times, acting } = lasting({ before: 2, alone: 3, after: 1 });
  const before = perform([run(call("before"))], acting);
  await vi.advanceTimersByTimeAsync(1000);
  const alone = perform([run(call("alone"), { alone: true })], acting);
  await vi.advanceTimersByTimeAsync(500);
  await runClock(Promise.all([before, alone, perform([run(call("after"))], acting)]));
  expect(times).toEqual([
    "before begins",
    "before ends",
    "alone begins",
    "alone ends",
    "after begins",
    "after ends",
  ]);
});

test("a wait does not hold up the reboot of another resource", async () => {
  let isUp = false;
  const { acting } = stage(
    { look: () => (isUp ? "" : { exitCode: 75 }) },
    {
      reboot: async () => {
        isUp = true;
      },
    },
  );
  const waiting = perform([wait({ what: "it", command: call("look"), deadlineSeconds: 60 })], acting);
  await vi.advanceTimersByTimeAsync(3000);
  await runClock(Promise.all([waiting, perform([reboot("a driver wants it")], acting)]));
});
