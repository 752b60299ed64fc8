import { expect } from "vitest";
import type { LabHost } from "#lab/host.ts";
import { type Answer, type LogLine, type ProviderError, startEngine, urnOf } from "./engine.ts";
import { inventoryEntry } from "./stack-config.ts";

type Inputs = Readonly<Record<string, unknown>>;

/** A stack that is meant to fail, and what it said. */
export interface BadRun {
  /** Type of the resource on the first host, and its inputs. */
  readonly type: string;
  readonly inputs: Inputs;
  /** Changes of the first host's entry in the inventory. */
  readonly entry?: Inputs;
  readonly stack?: string;
  readonly onLog?: (line: LogLine) => Promise<void> | void;
}

/** How a run ended that was to fail. */
export interface Failed {
  readonly message: string;
  /** What the state keeps of it; `undefined`: a plain error, nothing was touched. */
  readonly unhealthy: Answer | undefined;
  readonly lines: readonly string[];
}

/**
 * Runs of `up` over two hosts: something on the first, and on the second a file that has nothing to do with
 * it. Each run is a provider process of its own and speaks gRPC to it, which is much faster than the CLI.
 */
export function runsOn(first: LabHost, second: LabHost) {
  const healthy = "/etc/lab-healthy";

  async function startRun({ type, entry = {}, stack, onLog }: BadRun) {
    const hosts = { [first.name]: inventoryEntry(first, entry), [second.name]: inventoryEntry(second) };
    const engine = await startEngine({ hosts: JSON.stringify(hosts) }, onLog ? { onLog } : {});
    const urns = { first: urnOf(type, "it", stack), second: urnOf("Files", "healthy", stack) };
    const checked = async (urn: string, inputs: Inputs) => {
      const answer = await engine.check(urn, { ...inputs });
      expect(answer.failures).toEqual([]);
      return answer.inputs;
    };
    const other = await checked(urns.second, {
      host: second.name,
      files: { [healthy]: { content: "done\n" } },
    });
    return { engine, urns, checked, other, lines: () => engine.logs.map(({ message }) => message) };
  }

  const secondIsDone = async () => expect(await second.exec(`cat ${healthy}`)).toBe("done\n");

  return {
    /** A run in which the first host must fail and the second must be finished. */
    async fails(run: BadRun): Promise<Failed> {
      const { engine, urns, checked, other, lines } = await startRun(run);
      try {
        const inputs = await checked(urns.first, { host: first.name, ...run.inputs });
        const [bad, good] = await Promise.allSettled([
          engine.create(urns.first, inputs),
          engine.create(urns.second, other),
        ]);
        if (good.status === "rejected") throw good.reason;
        await secondIsDone();
        await engine.delete(urns.second, good.value);
        if (bad.status === "fulfilled") throw new Error("it did not fail");
        const { message, initFailed } = bad.reason as ProviderError;
        // Host first, then the resource: what an operator with twenty machines looks for.
        const user = run.entry?.user ?? first.user;
        expect(message).toMatch(new RegExp(`^${first.name} \\(${user}@[^)]+\\), ${run.type} it: \\S`));
        return { message, unhealthy: initFailed, lines: lines() };
      } finally {
        await engine.stop();
      }
    },

    /** The warnings of a preview, which must go through. */
    async previewed(run: BadRun): Promise<string> {
      const { engine, urns, checked } = await startRun(run);
      try {
        const inputs = await checked(urns.first, { host: first.name, ...run.inputs });
        await engine.create(urns.first, inputs, true);
        return engine.logs.flatMap(({ warning, message }) => (warning ? [message] : [])).join("\n");
      } finally {
        await engine.stop();
      }
    },

    /** The next run, after the cause is gone: brings the first host there and leaves nothing behind. */
    async succeeds(run: BadRun, from?: Failed): Promise<readonly string[]> {
      const { engine, urns, checked, other, lines } = await startRun(run);
      try {
        const inputs = await checked(urns.first, { host: first.name, ...run.inputs });
        const bring = from?.unhealthy
          ? engine.update(urns.first, from.unhealthy, inputs)
          : engine.create(urns.first, inputs);
        const [made, good] = await Promise.all([bring, engine.create(urns.second, other)]);
        await secondIsDone();
        expect((await engine.diff(urns.first, await engine.read(urns.first, made), inputs)).keys).toEqual([]);
        await engine.delete(urns.second, good);
        await engine.delete(urns.first, made);
        return lines();
      } finally {
        await engine.stop();
      }
    },

    /** A run, damage done by hand, a refresh and the run that repairs it. */
    async damaged(run: BadRun, damage: () => Promise<unknown>) {
      const { engine, urns, checked, lines } = await startRun(run);
      try {
        const inputs = await checked(urns.first, { host: first.name, ...run.inputs });
        const made = await engine.create(urns.first, inputs);
        await damage();
        const seen = await engine.read(urns.first, made);
        const { keys: repaired } = await engine.diff(urns.first, seen, inputs);
        const whole = await engine.update(urns.first, seen, inputs);
        expect((await engine.diff(urns.first, await engine.read(urns.first, whole), inputs)).keys).toEqual(
          [],
        );
        await engine.delete(urns.first, whole);
        return { lines: lines(), seen: seen.properties, repaired };
      } finally {
        await engine.stop();
      }
    },

    /** Does something while what a run brought about stands on the first host. */
    async meanwhile(run: BadRun, work: () => Promise<void>) {
      const before = await startRun(run);
      const inputs = await before.checked(before.urns.first, { host: first.name, ...run.inputs });
      const made = await before.engine.create(before.urns.first, inputs);
      // A provider holds the lock of a host as long as it lives.
      await before.engine.stop();
      await work();
      const after = await startRun(run);
      await after.engine.delete(after.urns.first, made);
      await after.engine.stop();
    },
  };
}
