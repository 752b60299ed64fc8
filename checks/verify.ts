import { askProbe, shownProbe } from "#facts/probes/ask-probe.ts";
import { type Probe, probe as probeSchema } from "#facts/probes/probe.ts";
import type { Inventory } from "#inventory/inventory.ts";
import { definitions } from "#provider/resources/index.ts";
import type { Reach } from "#transport/host.ts";
import type { Outlook } from "#transport/outlook.ts";
import { type Deployed, deployedResources, nameOf } from "./deployed.ts";
import { withHosts } from "./hosts.ts";
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

interface Subject {
  readonly exported: unknown;
  readonly inventory: Pick<Inventory, "hosts">;
  readonly closed: readonly ClosedPort[];
  reach(host: string): Promise<Reach>;
  /** From where the ports of a host can be tried. */
  outlook(host: string): Promise<Outlook>;
}

/**
 * Asks all at once: the probes of Check resources and the units, on the hosts; a completion of each service, from outside of
 * its host; ports that must be closed there. Outside is this machine, or the last jump host on the way to the host: what lies
 * behind one is for the network there. Every test gives a result, whatever the others do.
 */
export async function verify(
  { exported, inventory, closed, reach, outlook }: Subject,
  onResult: (result: Result) => void = () => undefined,
): Promise<readonly Result[]> {
  const outside = { ...inventory, outlooks: await outlooksOn(Object.keys(inventory.hosts), outlook) };
  const tests = [
    ...deployedResources(exported, definitions).flatMap((resource) => hostTests(resource, reach)),
    ...serviceTests(exported, outside),
    ...closed.flatMap((port) => closedTests(port, outside, reach)),
  ];
  return await Promise.all(tests.map((test) => result(test, onResult)));
}

async function result(test: Test, onResult: (result: Result) => void): Promise<Result> {
  const { host, name, type, mask } = test;
  const start = performance.now();
  const { ok, text } = await test.run().catch((error: Error) => ({ ok: undefined, text: error.message }));
  const seconds = (performance.now() - start) / 1000;
  const { verdict, label } = labels.get(ok) ?? { verdict: "unknown", label: "could not look" };
  const done: Result = { host, name, type, verdict, label, details: mask(text).split("\n"), seconds };
  onResult(done);
  return done;
}

/** Probes that a deployed resource stands for: those of a Check, and that a unit which should run does. */
function probesOf({ type, applied }: Deployed): readonly Probe[] {
  if (type === "SystemdService" && applied?.running !== false && typeof applied?.name === "string") {
    return [{ kind: "unit", unit: applied.name }];
  }
  if (type !== "Check" || applied === undefined) return [];
  return [probeSchema.parse(applied.probe)];
}

function hostTests(resource: Deployed, reach: Subject["reach"]): readonly Test[] {
  const { host, mask, urn } = resource;
  return probesOf(resource).map((probe) => ({
    host,
    name: `${nameOf(urn)}: ${shownProbe(probe)}`,
    type: `${probe.kind} on the host`,
    mask,
    run: async () => {
      const reached = await reach(host);
      if (reached.state === "unreachable") return { ok: undefined, text: reached.error.message };
      if (reached.state === "absent") return { ok: false, text: reached.reason };
      const { state, text } = await reached.host.ask(askProbe(probe));
      return { ok: state === "ok", text };
    },
  }));
}
