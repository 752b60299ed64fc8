import type { Inventory } from "#inventory/inventory.ts";
import type { Reach } from "#transport/host.ts";
import type { Outlook } from "#transport/outlook.ts";
import { stackOutputs } from "./deployed.ts";
import { completes, isClosed, isClosedTo, type JumpHost, refusesStrangers, servicesIn } from "./outside.ts";
import type { Outcome, Test } from "./result.ts";

/** A port that nobody but certain hosts may reach. */
export interface ClosedPort {
  readonly host: string;
  /** Names of those hosts. */
  readonly allowed: readonly string[];
  readonly port: number;
  /** What listens there, in the operator's words. */
  readonly what: string;
}

/** An outlook, or why there is none. */
type Seen = Outlook | { readonly from: "unknown"; readonly why: string };

/** The hosts, and from where each can be tried. */
interface Outside extends Pick<Inventory, "hosts"> {
  readonly outlooks: ReadonlyMap<string, Seen>;
}

/** From where each host can be tried; one of which that cannot be told hides no other. */
export async function outlooksOn(
  hosts: readonly string[],
  outlook: (host: string) => Promise<Outlook>,
): Promise<Outside["outlooks"]> {
  const unknown = (error: Error): Seen => ({ from: "unknown", why: error.message });
  return new Map(
    await Promise.all(hosts.map(async (host) => [host, await outlook(host).catch(unknown)] as const)),
  );
}

interface Tries {
  here(address: string): Promise<Outcome>;
  through(jumpHost: JumpHost): Promise<Outcome>;
}

/** Looks from where it can be done, and says from where that was. */
function fromOutside(seen: Seen, { here, through }: Tries): Pick<Test, "type" | "run"> {
  switch (seen.from) {
    case "here":
      return { type: "from outside", run: () => here(seen.address) };
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

/**
 * What a client elsewhere in the network sees of each service; one that listens on its own host alone has
 * none.
 */
export function serviceTests(exported: unknown, { hosts, outlooks }: Outside): readonly Test[] {
  const { outputs, mask } = stackOutputs(exported);
  return servicesIn(outputs).flatMap((service) => {
    const hostname = new URL(service.url).hostname.replace(/^\[(.*)\]$/, "$1");
    // From here that would be this machine, which is not to get the key.
    if (hostname === "127.0.0.1") return [];
    const host = Object.entries(hosts).find(([, { address }]) => address === hostname)?.[0] ?? hostname;
    const test = (name: string, ask: typeof completes): Test => {
      const tries = { here: () => ask(service), through: (jumpHost: JumpHost) => ask(service, jumpHost) };
      const seen = outlooks.get(host) ?? { from: "here", address: hostname };
      return { host, name, mask, ...fromOutside(seen, tries) };
    };
    return [
      test(`${service.name}: ${service.url} to answer a completion of ${service.model}`, completes),
      ...(service.apiKey === undefined
        ? []
        : [test(`${service.name}: to refuse a client without the key`, refusesStrangers)]),
    ];
  });
}

/** That a port is closed; no test where the machine that would try is one of those that may reach it. */
export function closedTests(
  { host, allowed, port, what }: ClosedPort,
  { hosts, outlooks }: Outside,
  reach: (host: string) => Promise<Reach>,
): readonly Test[] {
  const seen = outlooks.get(host) ?? { from: "unknown", why: `${host} is not in the inventory` };
  if (seen.from === "jump host" && mayReach(seen, allowed, hosts)) return [];
  const { type, run } = fromOutside(seen, {
    here: (address) => isClosed({ address, port }),
    through: (jumpHost) => isClosedTo(jumpHost, port),
  });
  return [
    {
      host,
      name: `${what}: port ${port} to be closed to strangers`,
      type,
      mask: (text) => text,
      run: async () => {
        // On a machine that is down every port looks closed.
        const reached = await reach(host);
        if (reached.state === "unreachable") return { ok: undefined, text: reached.error.message };
        return await run();
      },
    },
  ];
}

/** Whether a jump host is one of some hosts; one that is not of the inventory is known by its address. */
function mayReach(
  { name, listed, jumpAddress }: JumpHost,
  allowed: readonly string[],
  hosts: Inventory["hosts"],
): boolean {
  if (listed) return allowed.includes(name);
  return allowed.some((host) => [hosts[host]?.address, hosts[host]?.groupAddress].includes(jumpAddress));
}
