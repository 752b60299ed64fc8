import { askProbe, shownProbe } from "#facts/probes/ask-probe.ts";
import type { Inventory } from "#inventory/inventory.ts";
import { definitions } from "#provider/resources/index.ts";
import type { Outlook } from "#transport/outlook.ts";
import { appliedWants, type Deployed, deployedResources, nameOf } from "./deployed.ts";
import { type ReachHost, withHosts } from "./hosts.ts";
import { type ClosedPort, closedTests, outlooksOn, serviceTests } from "./outside-tests.ts";
import type { Result, Test } from "./result.ts";

const labels = new Map([
  [true, { verdict: "good", label: "passed" }],
  [false, { verdict: "bad", label: "failed" }],
  [undefined, { verdict: "unknown", label: "could not look" }],
] as const);

/** Smoke tests of a whole stack, from its `pulumi stack export --show-secrets`. */
export function stackVerify(
  exported: unknown,
  inventory: Inventory,
  closed: readonly ClosedPort[],
  onResult?: (result: Result) => void,
): Promise<readonly Result[]> {
  return withHosts(inventory, (reach, pool) =>
    verify({ exported, inventory, closed, reach, outlook: (host) => pool.outlook(host) }, onResult),
  );
}

interface VerifyInput {
  readonly exported: unknown;
  readonly inventory: Pick<Inventory, "hosts">;
  readonly closed: readonly ClosedPort[];
  readonly reach: ReachHost;
  /** From where the ports of a host can be tried. */
  outlook(host: string): Promise<Outlook>;
}

/**
 * Asks all at once: the probes of Check resources and the units, on the hosts; a completion of each service,
 * from outside of its host; ports that must be closed there. Outside is this machine, or the last jump host
 * on the way to the host: what lies behind one is for the network there. Every test gives a result, whatever
 * the others do.
 */
export async function verify(
  { exported, inventory, closed, reach, outlook }: VerifyInput,
  onResult: (result: Result) => void = () => undefined,
): Promise<readonly Result[]> {
  const outside = { ...inventory, outlooks: await outlooksOn(Object.keys(inventory.hosts), outlook) };
  const tests = [
    ...deployedResources(exported, definitions).flatMap((resource) => hostTests(resource, reach)),
    ...serviceTests(exported, outside),
    ...closed.flatMap((port) => closedTests(port, outside, reach)),
  ];
  return await Promise.all(tests.map((test) => runTest(test, onResult)));
}

async function runTest(test: Test, onResult: (result: Result) => void): Promise<Result> {
  const { host, name, type, mask } = test;
  const start = performance.now();
  const { ok, text } = await test.run().catch((error: Error) => ({ ok: undefined, text: error.message }));
  const seconds = (performance.now() - start) / 1000;
  const { verdict, label } = labels.get(ok) ?? { verdict: "unknown", label: "could not look" };
  const done: Result = { host, name, type, verdict, label, details: mask(text).split("\n"), seconds };
  onResult(done);
  return done;
}

/** The probes that a deployed resource stands for, asked on its host. */
function hostTests(resource: Deployed, reach: ReachHost): readonly Test[] {
  const { host, mask, urn, type, definition } = resource;
  try {
    const applied = appliedWants(resource);
    const probes = (applied && definition?.probes?.(applied)) ?? [];
    return probes.map((probe) => ({
      host,
      name: `${nameOf(urn)}: ${shownProbe(probe)}`,
      type: `${probe.kind} on the host`,
      mask,
      run: async () => {
        const reached = await reach(host, definition?.on);
        if (reached.state === "unreachable") return { ok: undefined, text: reached.error.message };
        if (reached.state === "absent") return { ok: false, text: reached.reason };
        const { state, text } = await reached.host.ask(askProbe(probe));
        return { ok: state === "ok", text };
      },
    }));
  } catch (error) {
    // State of a newer release: nobody here knows what to ask.
    return [{ host, name: nameOf(urn), type, mask, run: () => Promise.reject(error) }];
  }
}
