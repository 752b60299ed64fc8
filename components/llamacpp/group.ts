import { createHash } from "node:crypto";
import type { LlamacppService } from "./config.ts";

/** A machine's place in a group. The leader is number 0, workers follow in the order of their layers. */
export interface Member {
  readonly index: number;
  /** Name in the inventory. */
  readonly host: string;
  /** IPv4 address in a group of several; the leader reaches its workers there. */
  readonly address: string;
}

/** What all members must agree on. Its hash is the group's generation. */
export interface Group {
  readonly service: string;
  readonly engine: "llamacpp";
  /** Packages of the build, name to exact version or `any`. */
  readonly packages: Readonly<Record<string, string>>;
  readonly model: LlamacppService["model"];
  readonly members: readonly Member[];
  readonly rpcPort: number;
  readonly memberPort: number;
  /** Hash of all the above. Every member's unit carries it; members of different generations do not serve together. */
  readonly generation: string;
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, inner) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );

/** Twelve hex digits of the hash of a value; the order of its keys does not matter. */
export const hashOf = (value: unknown): string =>
  createHash("sha256").update(canonical(value)).digest("hex").slice(0, 12);

/** The group record of a service. @param addressOf address of a machine for the other machines of the stack */
export function groupOf(name: string, service: LlamacppService, addressOf: (host: string) => string): Group {
  const record = {
    service: name,
    engine: service.engine,
    packages: service.build.packages,
    model: service.model,
    members: [service.leader, ...service.workers].map((host, index) => ({
      index,
      host,
      address: addressOf(host),
    })),
    rpcPort: service.rpcPort,
    memberPort: service.memberPort,
  };
  // The order of a model's files matters: the first one is served.
  return { ...record, generation: hashOf({ ...record, served: Object.keys(service.model.files)[0] }) };
}

export const leaderOf = ({ members }: Group): Member => {
  const [leader] = members;
  if (!leader) throw new Error("a group has at least its leader");
  return leader;
};

export const workersOf = ({ members }: Group): readonly Member[] => members.slice(1);

/** The group file that gate, launcher and members script read: one word-separated record a line. */
export function renderGroup(group: Group): string {
  const member = ({ index, host, address }: Member) => `member ${index} ${host} ${address}`;
  return [
    `group ${group.service}`,
    `generation ${group.generation}`,
    `packages ${Object.keys(group.packages).sort().join(" ")}`,
    `ports ${group.rpcPort} ${group.memberPort}`,
    ...group.members.map(member),
    "",
  ].join("\n");
}
