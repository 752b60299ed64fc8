import type { Claim, Exposure, Opening, PackageClaim, Seat, Source } from "#components/claims.ts";
import { groupAddress } from "#components/serving/machine.ts";
import { type HostEntry, sshPort } from "#inventory/inventory.ts";
import { jumpProblem } from "#inventory/jumps.ts";
import { type Problem, pathText, suggestion } from "#inventory/problems.ts";

/** A machine as the rules across hosts see it. */
interface Place {
  readonly platform: string;
  readonly address: string;
  /** SSH port. */
  readonly port?: number | undefined;
  readonly jump?: HostEntry["jump"];
  readonly groupAddress?: string | undefined;
  readonly retire?: true | "gone" | undefined;
}

export interface Topology {
  /** Every name in the inventory, also of entries that are wrong in themselves. */
  readonly names: readonly string[];
  readonly hosts: Readonly<Record<string, Place>>;
  /** All that takes up something on them. */
  readonly claims: readonly Claim[];
}

const problemAt = (claim: Claim, path: readonly PropertyKey[], text: string): Problem => ({
  path: [...claim.path, ...path],
  text,
});

function seatProblem(claim: Claim, seat: Seat, { names, hosts }: Topology): Problem | undefined {
  const { seats, platforms } = claim.placement;
  const say = (text: string) => problemAt(claim, seat.path, text);
  if (!names.includes(seat.host))
    return say(`${seat.host} is no host of gpuhost:hosts${suggestion(seat.host, names)}`);
  const earlier = seats.slice(0, seats.indexOf(seat)).find(({ host }) => host === seat.host);
  if (earlier) {
    const where =
      earlier.path.length > 1 ? `listed already as ${pathText(earlier.path)}` : `the ${earlier.role} already`;
    return say(`${seat.host} is ${where}; a machine has one part in a service`);
  }
  const host = Object.hasOwn(hosts, seat.host) ? hosts[seat.host] : undefined;
  if (!host) return undefined;
  if (host.retire)
    return say(
      `${seat.host} is being retired; take it out of the service, or take out hosts.${seat.host}.retire`,
    );
  if (!platforms.includes(host.platform)) {
    return say(`${seat.host} is a ${host.platform} machine; this part runs on ${platforms.join(" or ")}`);
  }
  return undefined;
}

function exposureProblem(claim: Claim, exposure: Exposure): Problem | undefined {
  if (exposure.from !== "everyone" || !("missing" in exposure)) return undefined;
  const { path, cure } = exposure.missing;
  return problemAt(
    claim,
    path,
    `is missing, and ${exposure.what} would be open to everyone who reaches ${exposure.host}; ${cure}`,
  );
}

/** Two names for one machine would install everything twice, each against the other. */
function sameMachineProblems({ hosts }: Topology): Problem[] {
  const seen = new Map<string, string>();
  return Object.entries(hosts).flatMap(([name, host]) => {
    const { address, retire } = host;
    // Behind different jump hosts the same private address may be two machines.
    const place = `${address} ${sshPort(host)} ${[host.jump ?? []].flat().join(" ")}`;
    const other = seen.get(place);
    if (retire) return [];
    seen.set(place, name);
    return other
      ? [
          {
            path: ["hosts", name, "address"],
            text: `is the same machine as ${other}; give a machine one name`,
          },
        ]
      : [];
  });
}

/** The way to a host through others must end. An entry that is wrong in itself is told as that. */
function jumpProblems({ names, hosts }: Topology): Problem[] {
  const known = { ...Object.fromEntries(names.map((name) => [name, {}])), ...hosts };
  return Object.keys(hosts).flatMap((name) => {
    const text = jumpProblem(name, known);
    return text === undefined ? [] : [{ path: ["hosts", name, "jump"], text }];
  });
}

/** A port that is claimed, in the words of an error: whose it is, and where that is written. */
function portHolder({ path, name }: Claim, exposure: Exposure): string {
  const where = pathText([...path, ...exposure.path]);
  const what = name && exposure.what ? `${exposure.what} of ${name}` : exposure.what;
  return what ? `${what} (${where})` : where;
}

function portProblems({ names, hosts, claims }: Topology): Problem[] {
  const taken = new Map(
    Object.entries(hosts).map(([name, host]) => [`${name} tcp/${sshPort(host)}`, `SSH (hosts.${name}.port)`]),
  );
  return claims.flatMap((claim) =>
    claim.placement.exposures.flatMap((exposure) => {
      const { host, protocol = "tcp", port, path } = exposure;
      if (!names.includes(host) || (Object.hasOwn(hosts, host) && hosts[host]?.retire)) return [];
      const place = `${host} ${protocol}/${port}`;
      const holder = taken.get(place);
      const mine = portHolder(claim, exposure);
      if (!holder) taken.set(place, mine);
      // A worker that is listed twice is told as that.
      if (!holder || holder === mine) return [];
      const what = protocol === "udp" ? "UDP port" : "port";
      return [problemAt(claim, path, `${what} ${port} on ${host} is taken by ${holder}; choose another`)];
    }),
  );
}

/** A machine has one version of a package, whoever asks for it. */
function packageProblems({ claims }: Topology): Problem[] {
  const pinned = new Map<string, PackageClaim & { readonly claimant: string }>();
  return claims.flatMap((claim) =>
    claim.placement.packages.flatMap((wanted) => {
      const { host, name, version, path } = wanted;
      const other = pinned.get(`${host} ${name}`);
      if (!other) pinned.set(`${host} ${name}`, { ...wanted, claimant: claim.name ?? pathText(claim.path) });
      if (!other || other.version === version) return [];
      const text = `${host} would get ${version}, but ${other.claimant} asks for ${other.version} there; write the same in both`;
      return [problemAt(claim, path, text)];
    }),
  );
}

/** Rules across hosts and all that is on them; nothing is asked of any machine. */
export function topologyProblems(topology: Topology): Problem[] {
  const perClaim = topology.claims.flatMap((claim) => [
    ...claim.placement.seats.map((seat) => seatProblem(claim, seat, topology)),
    ...claim.placement.exposures.map((exposure) => exposureProblem(claim, exposure)),
  ]);
  return [
    ...sameMachineProblems(topology),
    ...jumpProblems(topology),
    ...perClaim.filter((found) => found !== undefined),
    ...portProblems(topology),
    ...packageProblems(topology),
  ];
}

/**
 * Address or network of who may connect, as the firewall of another machine sees it; none of a host that is
 * not known.
 */
function sourceAddresses(source: Source, hosts: Topology["hosts"]): string[] {
  if (typeof source !== "string") return [source.address];
  return Object.hasOwn(hosts, source) && hosts[source] ? [groupAddress(hosts[source])] : [];
}

/**
 * What the firewall of each machine guards for all claims together, gathered before any component is built.
 */
export function openingsByHost({
  hosts,
  claims,
}: Pick<Topology, "hosts" | "claims">): Record<string, Opening[]> {
  const opening = ({ name }: Claim, exposure: Exposure): Opening => {
    const { port, protocol = "tcp", from, what } = exposure;
    const why = name ? `${name}: ${what}` : what;
    if (from === "everyone") return { protocol, port, from: "any", why };
    const addresses = from === "itself" ? [] : from.flatMap((source) => sourceAddresses(source, hosts));
    return { protocol, port, from: addresses, why };
  };
  const openingsOn = (host: string) =>
    claims.flatMap((claim) =>
      claim.placement.exposures.flatMap((it) => (it.host === host ? [opening(claim, it)] : [])),
    );
  return Object.fromEntries(Object.keys(hosts).map((name) => [name, openingsOn(name)]));
}
