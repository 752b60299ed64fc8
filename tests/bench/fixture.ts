import { join } from "node:path";
import type { LabHost } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { inventoryEntry } from "#tests/support/stack-config.ts";
import { createWorkspace, type Ended, type Workspace } from "#tests/support/workspace.ts";
import { startSlowProxy } from "#transport/testing/slow-proxy.ts";

/** One host, and how it is reached now. */
export interface Reached {
  readonly host: LabHost;
  readonly address: string;
  readonly port: number;
}

/** Lab hosts on which the 50 items stand, and the stacks that brought them about. */
export interface Fixture {
  readonly lab: Lab;
  /** The project of the 50 items: stack `one` has one host, stack `four` four others. */
  readonly workspace: Workspace;
  /** The same hosts, at once or through a line that is `delayMs` longer in each direction. */
  reached(stack: Stack, delayMs: number): readonly Reached[];
  /** Writes the stack file so that a stack's hosts are reached that way. */
  configure(stack: Stack, delayMs: number): Promise<void>;
  stop(): Promise<void>;
}

/** The stacks that are timed, by their number of hosts. */
export type Stack = "one" | "four";
const stacks: Readonly<Record<Stack, readonly string[]>> = { one: ["a"], four: ["b", "c", "d", "e"] };

/** Fails with what a command said, unless it ended well. */
export async function well(ended: Promise<Ended>): Promise<string> {
  const { exitCode, output } = await ended;
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}:\n${output}`);
  return output;
}

/** Inventory entries as the stack file has them. */
export const inventory = (reached: readonly Reached[]) =>
  Object.fromEntries(
    reached.map(({ host, address, port }) => [
      host.name,
      inventoryEntry(host, { address, port, base: false }),
    ]),
  );

/**
 * Five bare hosts, brought up by the engine. @param delays milliseconds in each direction that will be asked
 * for
 */
export async function startFixture(delays: readonly number[], say: (line: string) => void): Promise<Fixture> {
  const names = Object.values(stacks).flat();
  const lab = await startLab({ hosts: names.map((name) => ({ name, release: "bookworm" })), progress: say });
  const workspace = createWorkspace("tests/bench/program.ts");
  const proxies = new Map<string, Awaited<ReturnType<typeof startSlowProxy>>>();
  const fixture: Fixture = {
    lab,
    workspace,
    reached: (stack, delayMs) =>
      stacks[stack].map((name) => {
        const host = lab.host(name);
        const proxy = proxies.get(`${name} ${delayMs}`);
        return proxy
          ? { host, address: "127.0.0.1", port: proxy.port }
          : { host, address: host.address, port: 22 };
      }),
    configure: (stack, delayMs) =>
      workspace.configure(stack, { "gpuhost:hosts": inventory(fixture.reached(stack, delayMs)) }),
    async stop() {
      for (const proxy of proxies.values()) await proxy.close();
      await lab.stop();
      workspace.remove();
    },
  };
  try {
    for (const name of names)
      for (const delayMs of delays.filter((delay) => delay > 0))
        proxies.set(
          `${name} ${delayMs}`,
          await startSlowProxy(
            { host: lab.host(name).address, port: 22 },
            { delayMs, bytesPerSecond: Number.POSITIVE_INFINITY },
          ),
        );
    for (const stack of Object.keys(stacks) as Stack[]) {
      say(`bringing the 50 items about on ${stacks[stack].length} of the hosts`);
      await fixture.configure(stack, 0);
      await well(workspace.script("up", stack, "--yes"));
    }
    return fixture;
  } catch (error) {
    await fixture.stop();
    throw error;
  }
}

/** The folder of the checkout. */
export const root = join(import.meta.dirname, "../..");
