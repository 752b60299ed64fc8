import { askProbe, shownProbe } from "#facts/ask-probe.ts";
import { type Probe, probe as probeSchema } from "#facts/probe.ts";
import { definitions } from "#provider/resources/index.ts";
import type { Reach } from "#transport/host.ts";
import type { Inventory } from "#transport/inventory.ts";
import type { Outlook } from "#transport/outlook.ts";
import { type Deployed, deployedResources, nameOf, stackOutputs } from "./deployed.ts";
import { withHosts } from "./hosts.ts";
import { completes, isClosed, isClosedTo, type JumpHost, refusesStrangers, servicesIn } from "./outside.ts";
import type { Outcome, Result } from "./result.ts";

/** A port that nobody but certain hosts may reach. */
export interface ClosedPort {
  readonly host: string;
  /** Names of those hosts. */
  readonly allowed: readonly string[];
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
  const outlooks = await outlooksOn(Object.keys(inventory.hosts), outlook);
  const tests = [
    ...deployedResources(exported, definitions).flatMap((resource) => hostTests(resource, reach)),
    ...outsideTests(exported, inventory, outlooks),
    ...closed.flatMap((port) =>
      closedTests(port, { inventory, reach, outlook: outlooks.get(port.host) ?? HERE }),
    ),
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

/** An outlook, or why there is none. */
type Seen = Outlook | { readonly from: "unknown"; readonly why: string };
const HERE: Seen = { from: "here" };

async function outlooksOn(
  hosts: readonly string[],
  outlook: Subject["outlook"],
): Promise<ReadonlyMap<string, Seen>> {
  const unknown = (error: Error): Seen => ({ from: "unknown", why: error.message });
  return new Map(
    await Promise.all(hosts.map(async (host) => [host, await outlook(host).catch(unknown)] as const)),
  );
}

interface Tries {
  here(): Promise<Outcome>;
  through(jumpHost: JumpHost): Promise<Outcome>;
}

/** Looks from where it can be done, and says from where that was. */
function fromOutside(seen: Seen, { here, through }: Tries): Pick<Test, "type" | "run"> {
  switch (seen.from) {
    case "here":
      return { type: "from outside", run: here };
    case "jump host":
      return { type: `through ${seen.name}`, run: () => through(seen) };
    case "nowhere": {
      const way = "with a jump host in its place (jump, ProxyJump) that one would be asked";
      const text = `not looked at from outside: only a ProxyCommand leads there (${seen.command}); ${way}`;
      return { type: "from outside", run: async () => ({ ok: undefined, text }) };
    }
    case "unknown":
      return { type: "from outside", run: async () => ({ ok: undefined, text: seen.why }) };
  }
}

/** What a client elsewhere in the network sees of each service. */
function outsideTests(
  exported: unknown,
  inventory: Subject["inventory"],
  outlooks: ReadonlyMap<string, Seen>,
): readonly Test[] {
  const { outputs, mask } = stackOutputs(exported);
  return servicesIn(outputs).flatMap((service) => {
    const hostname = new URL(service.url).hostname.replace(/^\[(.*)\]$/, "$1");
    const host =
      Object.entries(inventory.hosts).find(([, { address }]) => address === hostname)?.[0] ?? hostname;
    const test = (name: string, ask: typeof completes): Test => {
      const tries = { here: () => ask(service), through: (jumpHost: JumpHost) => ask(service, jumpHost) };
      return { host, name, mask, ...fromOutside(outlooks.get(host) ?? HERE, tries) };
    };
    return [
      test(`${service.name}: ${service.url} to answer a completion of ${service.model}`, completes),
      ...(service.apiKey === undefined
        ? []
        : [test(`${service.name}: to refuse a client without the key`, refusesStrangers)]),
    ];
  });
}

/** None where the machine that would try is one of those that may reach the port. */
function closedTests(
  port: ClosedPort,
  { inventory, reach, outlook }: Pick<Subject, "inventory" | "reach"> & { readonly outlook: Seen },
): readonly Test[] {
  if (outlook.from === "jump host" && mayReach(outlook, port, inventory)) return [];
  const { type, run } = fromOutside(outlook, {
    here: () => isClosed(port),
    through: (jumpHost) => isClosedTo(jumpHost, port.port),
  });
  return [
    {
      host: port.host,
      name: `${port.what}: port ${port.port} to be closed to strangers`,
      type,
      mask: (text) => text,
      run: async () => {
        // On a machine that is down every port looks closed.
        const reached = await reach(port.host);
        if (reached.state === "unreachable") return { ok: undefined, text: reached.error.message };
        return await run();
      },
    },
  ];
}

function mayReach(
  { name, listed, jumpAddress }: JumpHost,
  { allowed }: ClosedPort,
  { hosts }: Subject["inventory"],
): boolean {
  if (listed) return allowed.includes(name);
  return allowed.some((host) => [hosts[host]?.address, hosts[host]?.groupAddress].includes(jumpAddress));
}
