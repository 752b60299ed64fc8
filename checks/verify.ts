import { askProbe, shownProbe } from "#facts/ask-probe.ts";
import { type Probe, probe as probeSchema } from "#facts/probe.ts";
import { definitions } from "#provider/resources/index.ts";
import type { Reach } from "#transport/host.ts";
import type { Inventory } from "#transport/inventory.ts";
import { type Deployed, deployedResources, nameOf, stackOutputs } from "./deployed.ts";
import { withHosts } from "./hosts.ts";
import { completes, isClosed, refusesStrangers, servicesIn } from "./outside.ts";
import type { Outcome, Result } from "./result.ts";

/** A port that nobody but certain hosts may reach. */
export interface ClosedPort {
  readonly host: string;
  /** Address by which a stranger would try. */
  readonly address: string;
  readonly port: number;
  /** What listens there, in the operator's words. */
  readonly what: string;
}

interface Test {
  readonly host: string;
  readonly name: string;
  readonly type: string;
  /** Takes secrets out of what was seen. */
  readonly mask: (text: string) => string;
  run(): Promise<Outcome>;
}

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
  return withHosts(inventory, (reach) => verify({ exported, inventory, closed, reach }, onResult));
}

interface Subject {
  readonly exported: unknown;
  readonly inventory: Pick<Inventory, "hosts">;
  readonly closed: readonly ClosedPort[];
  reach(host: string): Promise<Reach>;
}

/**
 * Asks all at once: the probes of Check resources and the units, on the hosts; a completion of each service, from here; ports
 * that must be closed to us. Every test gives a result, whatever the others do.
 */
export function verify(
  { exported, inventory, closed, reach }: Subject,
  onResult: (result: Result) => void = () => undefined,
): Promise<readonly Result[]> {
  const tests = [
    ...deployedResources(exported, definitions).flatMap((resource) => hostTests(resource, reach)),
    ...outsideTests(exported, inventory),
    ...closed.map((port) => closedTest(port, reach)),
  ];
  return Promise.all(tests.map((test) => result(test, onResult)));
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

/** What a client elsewhere in the network sees of each service; this machine stands for such a client. */
function outsideTests(exported: unknown, inventory: Subject["inventory"]): readonly Test[] {
  const { outputs, mask } = stackOutputs(exported);
  return servicesIn(outputs).flatMap((service) => {
    const { hostname } = new URL(service.url);
    const host =
      Object.entries(inventory.hosts).find(([, { address }]) => address === hostname)?.[0] ?? hostname;
    const test = (name: string, run: Test["run"]): Test => ({ host, name, type: "from outside", mask, run });
    return [
      test(`${service.name}: ${service.url} to answer a completion of ${service.model}`, () =>
        completes(service)),
      ...(service.apiKey === undefined
        ? []
        : [test(`${service.name}: to refuse a client without the key`, () => refusesStrangers(service))]),
    ];
  });
}

function closedTest(port: ClosedPort, reach: Subject["reach"]): Test {
  return {
    host: port.host,
    name: `${port.what}: port ${port.port} to be closed to strangers`,
    type: "from outside",
    mask: (text) => text,
    run: async () => {
      // On a machine that is down every port looks closed.
      const reached = await reach(port.host);
      if (reached.state === "unreachable") return { ok: undefined, text: reached.error.message };
      return await isClosed(port);
    },
  };
}
