import { isIPv4 } from "node:net";
import type { Exposure, Opening, Placement, Seat } from "#components/serving/placement.ts";
import { type HostEntry, jumpProblem, sshPort } from "#inventory/inventory.ts";
import { type Problem, pathText, suggestion } from "#inventory/problems.ts";

/** A machine as the rules across hosts see it. */
export interface Place {
  readonly platform: string;
  readonly address: string;
  /** SSH port. */
  readonly port?: number | undefined;
  readonly jump?: HostEntry["jump"];
  readonly groupAddress?: string | undefined;
  readonly retire?: true | "gone" | undefined;
  /** Whether this stack has its base; another one may. @default true */
  readonly base?: boolean;
}

export interface Topology {
  /** Every name in the inventory, also of entries that are wrong in themselves. */
  readonly names: readonly string[];
  readonly hosts: Readonly<Record<string, Place>>;
  /** What each service takes up, by its name. */
  readonly placements: Readonly<Record<string, Placement>>;
  /** What else the base of single machines has, by their names. */
  readonly base?: {
    readonly openings: Readonly<Record<string, readonly { readonly port: number }[]>>;
    readonly extraCommands: Readonly<Record<string, unknown>>;
  };
}

/** Address that the other machines of a stack use for one. */
export const groupAddress = (host: Pick<Place, "address" | "groupAddress">): string =>
  host.groupAddress ?? host.address;

const problem = (service: string, path: readonly PropertyKey[], text: string): Problem => ({
  path: ["services", service, ...path],
  text,
});

function seatProblem(
  service: string,
  seat: Seat,
  placement: Placement,
  { names, hosts }: Topology,
): Problem | undefined {
  const say = (text: string) => problem(service, seat.path, text);
  if (!names.includes(seat.host))
    return say(`${seat.host} is no host of gpuhost:hosts${suggestion(seat.host, names)}`);
  const earlier = placement.seats
    .slice(0, placement.seats.indexOf(seat))
    .find(({ host }) => host === seat.host);
  if (earlier) {
    const where =
      earlier.path.length > 1 ? `listed already as ${pathText(earlier.path)}` : `the ${earlier.role} already`;
    return say(`${seat.host} is ${where}; a machine has one part in a service`);
  }
  const host = hosts[seat.host];
  if (!host) return undefined;
  if (host.retire)
    return say(
      `${seat.host} is being retired; take it out of the service, or take out hosts.${seat.host}.retire`,
    );
  if (!placement.platforms.includes(host.platform)) {
    return say(
      `${seat.host} is a ${host.platform} machine; this part runs on ${placement.platforms.join(" or ")}`,
    );
  }
  if (placement.seats.length > 1 && !isIPv4(groupAddress(host))) {
    return say(
      `the machines of a group know each other by IPv4 address, and ${seat.host} has ${groupAddress(host)}; set hosts.${seat.host}.groupAddress`,
    );
  }
  return undefined;
}

function exposureProblem(service: string, exposure: Exposure): Problem | undefined {
  if (exposure.from !== "everyone" || exposure.safe) return undefined;
  return problem(
    service,
    ["apiKey"],
    `is missing, and ${exposure.what} would be open to everyone who reaches ${exposure.host}; ` +
      "set apiKey, or `listen: local`, or `open: true` if you mean it",
  );
}

/** Two names for one machine would install everything twice, each against the other. */
function doubles({ hosts }: Topology): Problem[] {
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
function jumps({ names, hosts }: Topology): Problem[] {
  const known = { ...Object.fromEntries(names.map((name) => [name, {}])), ...hosts };
  return Object.keys(hosts).flatMap((name) => {
    const text = jumpProblem(name, known);
    return text === undefined ? [] : [{ path: ["hosts", name, "jump"], text }];
  });
}

/** What is written for the base of a machine whose base another stack has would never be done. */
function baseProblems({ hosts, base }: Topology): Problem[] {
  return Object.entries({ openings: base?.openings, extraCommands: base?.extraCommands }).flatMap(
    ([key, map]) =>
      Object.keys(map ?? {})
        .filter((name) => hosts[name]?.base === false)
        .map((name) => ({
          path: ["base", key, name],
          text: `${name} has \`base: false\`; write this in the stack that has its base`,
        })),
  );
}

function portClashes({ names, hosts, placements, base }: Topology): Problem[] {
  const taken = new Map(
    Object.entries(hosts).map(([name, host]) => [`${name} ${sshPort(host)}`, `SSH (hosts.${name}.port)`]),
  );
  const openings = Object.entries(base?.openings ?? {}).flatMap(([host, all]) =>
    all.flatMap(({ port }, i) => {
      const holder = taken.get(`${host} ${port}`);
      if (!holder) taken.set(`${host} ${port}`, `base.openings.${host}[${i}]`);
      const path = ["base", "openings", host, i, "port"];
      return holder ? [{ path, text: `port ${port} on ${host} is taken by ${holder}` }] : [];
    }),
  );
  const exposures = Object.entries(placements).flatMap(([service, { exposures }]) =>
    exposures.flatMap(({ host, port, path, what }) => {
      if (!names.includes(host) || hosts[host]?.retire) return [];
      const holder = taken.get(`${host} ${port}`);
      const mine = `${what} of ${service} (services.${service}.${pathText(path)})`;
      if (!holder) taken.set(`${host} ${port}`, mine);
      // A worker that is listed twice is told as that.
      return holder && holder !== mine
        ? [problem(service, path, `port ${port} on ${host} is taken by ${holder}; choose another`)]
        : [];
    }),
  );
  return [...openings, ...exposures];
}

/** A machine has one version of a package, whoever asks for it. */
function versionClashes({ placements }: Topology): Problem[] {
  const pinned = new Map<string, { version: string; service: string }>();
  return Object.entries(placements).flatMap(([service, { seats, packages }]) =>
    seats.flatMap(({ host }) =>
      Object.entries(packages).flatMap(([name, version]) => {
        const other = pinned.get(`${host} ${name}`);
        if (!other) pinned.set(`${host} ${name}`, { version, service });
        if (!other || other.version === version) return [];
        const text = `${host} would get ${version}, but ${other.service} asks for ${other.version} there; write the same in both`;
        return [problem(service, ["build", "packages", name], text)];
      }),
    ),
  );
}

/** Rules across hosts and services; nothing is asked of any machine. */
export function topologyProblems(topology: Topology): Problem[] {
  const perService = Object.entries(topology.placements).flatMap(([service, placement]) => [
    ...placement.seats.map((seat) => seatProblem(service, seat, placement, topology)),
    ...placement.exposures.map((exposure) => exposureProblem(service, exposure)),
  ]);
  return [
    ...doubles(topology),
    ...jumps(topology),
    ...baseProblems(topology),
    ...perService.filter((found) => found !== undefined),
    ...portClashes(topology),
    ...versionClashes(topology),
  ];
}

/** What each machine lets in for all services together, gathered before any component is built. */
export function openings({
  hosts,
  placements,
}: Pick<Topology, "hosts" | "placements">): Record<string, Opening[]> {
  const all = Object.entries(placements).flatMap(([service, { exposures }]) =>
    exposures.map((exposure) => ({ service, ...exposure })),
  );
  const sources = (from: Exposure["from"]): Opening["from"] => {
    if (from === "everyone") return "any";
    if (from === "itself") return [];
    return from.flatMap((name) => (hosts[name] ? [groupAddress(hosts[name])] : []));
  };
  const opening = ({ port, from, what, service }: (typeof all)[number]): Opening => ({
    port,
    from: sources(from),
    why: `${service}: ${what}`,
  });
  return Object.fromEntries(
    Object.keys(hosts).map((name) => [name, all.filter(({ host }) => host === name).map(opening)]),
  );
}
