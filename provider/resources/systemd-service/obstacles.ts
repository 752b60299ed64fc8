import { type Listener, listenersOn } from "#facts/ss.ts";
import type { Obstacle } from "#provider/contract/resource.ts";
import type { Host } from "#transport/host.ts";
import type { Want } from "./inputs.ts";
import { portOf } from "./readiness.ts";

/** TCP ports on which the unit is to listen: that of its readiness, or those its socket names. */
function portsOf({ readiness, unit = "" }: Want): readonly number[] {
  const proven = readiness && portOf(readiness);
  if (proven !== undefined) return [proven];
  return [...unit.matchAll(/^ListenStream=(?:\S+:)?(\d+)$/gm)].map(([, port]) => Number(port));
}

/** What a listener's innermost unit says of the way to end it. */
function cureOf(port: number, { units, who }: Listener): string {
  const unit = units.at(-1) ?? "";
  const other = "or give this service another port";
  if (who.startsWith("docker-proxy ") || /^(docker|libpod)-/.test(unit))
    return `a container has it: \`docker ps --filter publish=${port}\` names it; stop that, ${other}`;
  if (/\.(service|socket)$/.test(unit)) return `stop it (systemctl disable --now ${unit}), ${other}`;
  return `stop that, ${other}`;
}

/** Whoever holds a port that the unit is to listen on, and is not the unit itself. */
export async function obstacles(host: Host, want: Want): Promise<readonly Obstacle[]> {
  if (!want.running) return [];
  const found = await Promise.all(
    portsOf(want).map(async (port) => {
      const strangers = (await host.ask(listenersOn(port))).filter(({ units }) => !units.includes(want.name));
      // One that listens for IPv4 and for IPv6 is told once.
      const holders = Map.groupBy(strangers, ({ units, who }) => units.at(-1) ?? who);
      return [...holders.values()].map((sockets) => obstacle(port, sockets));
    }),
  );
  return found.flat();
}

function obstacle(port: number, sockets: readonly Listener[]): Obstacle {
  const [first = { address: "", units: [], who: "" }] = sockets;
  const at = sockets.map(({ address }) => address).join(", ");
  return {
    what: `port ${port} is taken by ${first.who || "a process that ss cannot name"} at ${at}`,
    cure: cureOf(port, first),
    item: `unit ${first.units.at(-1) ?? ""}`,
  };
}
