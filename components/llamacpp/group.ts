import { hashOf } from "#components/serving/hash.ts";
import { type Build, buildOf } from "./build-config.ts";
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
  readonly build: Build;
  readonly model: LlamacppService["model"];
  readonly members: readonly Member[];
  readonly rpcPort: number;
  readonly memberPort: number;
  /**
   * Hash of all the above. Every member's unit carries it; members of different generations do not serve
   * together.
   */
  readonly generation: string;
}

/**
 * What members must have in common of a build. Of a release that is its tag alone, and of a source its
 * content: one may run it on CUDA and another on its CPU.
 */
function agreedBuild(build: Build) {
  switch (build.way) {
    case "packages":
      return { packages: build.packages };
    case "release":
      return { release: build.tag };
    case "source":
      return { source: [build.tag, build.sha256] };
  }
}

/**
 * The group record of a service.
 *
 * @param addressOf address of a machine for the other machines of the stack
 */
export function groupOf(name: string, service: LlamacppService, addressOf: (host: string) => string): Group {
  const record = {
    service: name,
    engine: service.engine,
    model: service.model,
    members: [service.leader, ...service.workers].map((host, index) => ({
      index,
      host,
      address: addressOf(host),
    })),
    rpcPort: service.rpcPort,
    memberPort: service.memberPort,
  };
  const build = buildOf(service.build);
  // The order of a model's files matters: the first one is served.
  const agreed = { ...record, ...agreedBuild(build), served: Object.keys(service.model.files)[0] };
  return { ...record, build, generation: hashOf(agreed) };
}

export const leaderOf = ({ members }: Group): Member => {
  const [leader] = members;
  if (!leader) throw new Error("a group has at least its leader");
  return leader;
};

export const workersOf = ({ members }: Group): readonly Member[] => members.slice(1);

/**
 * What the build script tells: packages to ask for their versions, or the name of a build that is installed
 * as a whole.
 */
function buildLine(build: Build): string {
  switch (build.way) {
    case "packages":
      return `packages ${Object.keys(build.packages).sort().join(" ")}`;
    case "release":
      return `build ${build.tag}`;
    case "source":
      return `build ${build.tag}, source ${build.sha256.slice(0, 12)}`;
  }
}

/** The group file that gate, launcher and members script read: one word-separated record a line. */
export function renderGroup(group: Group): string {
  const member = ({ index, host, address }: Member) => `member ${index} ${host} ${address}`;
  return [
    `group ${group.service}`,
    `generation ${group.generation}`,
    buildLine(group.build),
    `ports ${group.rpcPort} ${group.memberPort}`,
    ...group.members.map(member),
    "",
  ].join("\n");
}
