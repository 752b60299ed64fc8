import * as pulumi from "@pulumi/pulumi";
import { declareAnsweringUnit } from "#components/serving/answering-unit.ts";
import { apiUrl, modelName } from "#components/serving/api.ts";
import { apiKeyFile } from "#components/serving/api-key.ts";
import {
  type ArgsOf,
  hostNamed,
  type ServedModel,
  type ServingHost,
} from "#components/serving/engine-component.ts";
import { hashOf } from "#components/serving/hash.ts";
import { declareModel, servedFile } from "#components/serving/model.ts";
import type { Witness } from "#provider/contract/witness.ts";
import { declare, outputDeclared } from "#provider/declare.ts";
import { files } from "#provider/resources/files/files.ts";
import { systemdService } from "#provider/resources/systemd-service/systemd-service.ts";
import type { LlamacppService, llamacpp } from "./config.ts";
import { type Group, groupOf, leaderOf, type Member, renderGroup, workersOf } from "./group.ts";
import { declareBuild, type Installed } from "./install.ts";
import {
  namesOf,
  renderLeader,
  renderMemberAnswer,
  renderMemberSocket,
  renderWorker,
  type Script,
  scriptsOf,
} from "./render.ts";

type LlamacppArgs = ArgsOf<typeof llamacpp>;

/**
 * Serves one GGUF model with llama.cpp: a leader that answers requests, and workers that lend it memory and
 * GPUs over RPC.
 *
 * Owns on each machine `/etc/gpu-hosts/<name>`, `/usr/local/lib/gpu-hosts/<name>` and the units
 * `llama-server-<name>`, `llama-rpc-<name>`, `llama-member-<name>`. All members run one build: each unit
 * carries the group's generation, and the leader's gate waits for the members of its own. Workers are done
 * before the leader, and leave after it.
 */
export class Llamacpp extends pulumi.ComponentResource implements ServedModel {
  readonly url: string;
  readonly model: string;
  readonly units: Readonly<Record<string, readonly string[]>>;
  readonly generation: string;

  constructor(name: string, args: LlamacppArgs, opts?: pulumi.ComponentResourceOptions) {
    super("gpu-hosts:index:Llamacpp", name, {}, opts);
    const { service } = args;
    const hostOf = (member: Pick<Member, "host">): ServingHost => hostNamed(args.hosts, member.host);
    const group = groupOf(name, service, (host) => hostOf({ host }).groupAddress);
    const leader = leaderOf(group);
    const witness = witnessOf(group);
    const part: Part = { parent: this, group, service, mirrors: args.mirrors, witness, early: new Map() };
    if (group.build.way !== "packages") {
      for (const member of group.members)
        part.early.set(member.host, declareMemberBuild(part, hostOf(member)));
    }

    const workers = workersOf(group).flatMap((member) => declareWorker(part, member, hostOf(member)));
    declareLeader(part, hostOf(leader), workers);

    this.url = apiUrl(service, hostOf(leader).address);
    this.model = modelName(name, service);
    this.units = unitsOf(group);
    this.generation = group.generation;
    this.registerOutputs({ url: this.url, model: this.model, ...outputDeclared(this) });
  }
}

/** What the parts of one service share. */
interface Part {
  readonly parent: pulumi.Resource;
  readonly group: Group;
  readonly service: LlamacppService;
  readonly mirrors: LlamacppArgs["mirrors"];
  readonly witness: Witness | undefined;
  /**
   * Builds that lie beside the running one, by machine: made on all machines before the first moves to its
   * own, so that the service answers while the slowest still fetches or compiles. Packages replace what runs,
   * so they come one by one.
   */
  readonly early: Map<string, Installed>;
}

/**
 * The leader, which sees all members: whichever of them fails, the error says how each stands to the new
 * generation.
 */
function witnessOf(group: Group): Witness | undefined {
  if (workersOf(group).length === 0) return undefined;
  const names = namesOf(group.service);
  const argv: Witness["argv"] = [names.script("members"), names.group, group.generation, names.leader];
  return { host: leaderOf(group).host, argv };
}

/** The build of a machine, once its base and what else is named are in place. */
function declareMemberBuild(
  { parent, group, mirrors, witness, early }: Part,
  host: ServingHost,
  after: readonly pulumi.Resource[] = [],
): Installed {
  const { service } = group;
  const wanted = { service, prefix: `${service}-${host.name}`, host, witness, project: mirrors.llamacpp };
  const opts = { parent, dependsOn: [...host.base, ...after] };
  return early.get(host.name) ?? declareBuild(group.build, wanted, opts);
}

/**
 * What a unit waits for before it moves to a build: its own, and where they can be made beforehand all
 * machines'.
 */
const buildsBefore = ({ early }: Part, own: Installed): pulumi.Resource[] => [
  ...new Set([...own.resources, ...[...early.values()].flatMap(({ resources }) => resources)]),
];

function unitsOf(group: Group): Record<string, string[]> {
  const names = namesOf(group.service);
  return Object.fromEntries(
    group.members.map(({ host, index }) => [
      host,
      index === 0 ? [names.leader] : [names.worker, names.socket],
    ]),
  );
}

const folder = { directory: true, mode: "0755" } as const;

/** Files that every member has: the group record, and the scripts that read it. */
function memberFiles(group: Group, scripts: readonly Script[]) {
  const names = namesOf(group.service);
  return {
    "/etc/gpu-hosts": folder,
    "/usr/local/lib/gpu-hosts": folder,
    [names.folder]: folder,
    [names.scripts]: folder,
    [names.group]: { content: renderGroup(group) },
    ...scriptsOf(group.service, scripts),
  };
}

/** One worker: packages, files, the RPC server and its member endpoint. Returns what the leader waits for. */
function declareWorker(part: Part, member: Member, machine: ServingHost): pulumi.Resource[] {
  const { parent, group, service, witness } = part;
  const { name: host, base } = machine;
  const names = namesOf(group.service);
  const prefix = `${group.service}-${host}`;
  const at = { host, witness };
  const before = { parent, dependsOn: [...base] };
  const build = declareMemberBuild(part, machine);
  const scripts = memberFiles(group, ["build", "member", "worker"]);
  const answer = { [`/etc/systemd/system/${names.answer}`]: { content: renderMemberAnswer(group) } };
  const answering = declare(files, `${prefix}-files`, { ...at, files: { ...scripts, ...answer } }, before);

  const dependsOn = [...buildsBefore(part, build), answering];
  const endpoint = declare(
    systemdService,
    `${prefix}-member`,
    { ...at, name: names.socket, unit: renderMemberSocket(group, member) },
    { parent, dependsOn },
  );
  const worker = declare(
    systemdService,
    `${prefix}-worker`,
    {
      ...at,
      name: names.worker,
      unit: renderWorker(group, member, service.workerArgs, build.programs),
      restartOn: { launcher: hashOf(scriptsOf(group.service, ["build", "worker"])) },
      readiness: { kind: "tcp", port: group.rpcPort, deadlineSeconds: 300 },
    },
    { parent, dependsOn: [...dependsOn, endpoint] },
  );
  return [endpoint, worker];
}

/** The leader: model, build, files with the key, the server and its check. It changes after the workers. */
function declareLeader(part: Part, machine: ServingHost, workers: pulumi.Resource[]): void {
  const { parent, group, service, mirrors, witness } = part;
  const { name: host, base } = machine;
  const names = namesOf(group.service);
  const prefix = `${group.service}-${host}`;
  const at = { host, witness };
  const build = declareMemberBuild(part, machine, workers);
  const model = declareModel(
    { prefix, at, opts: { parent, dependsOn: [...base] } },
    { service: group.service, model: service.model, hub: mirrors.hub },
  );
  const scripts = memberFiles(group, ["build", "gate", "members"]);
  const key = apiKeyFile(names.apiKey, service.apiKey);
  const written = declare(
    files,
    `${prefix}-files`,
    { ...at, files: { "/var/lib/gpu-hosts": folder, ...scripts, ...key } },
    { parent, dependsOn: [...base, ...workers] },
  );
  declareAnsweringUnit(
    { prefix, at, opts: { parent, dependsOn: [...buildsBefore(part, build), written, model, ...workers] } },
    {
      service: group.service,
      settings: service,
      unit: names.leader,
      text: renderLeader(group, service, servedFile(group.service, service.model), build.programs),
      apiKeyFile: names.apiKey,
      generation: group.generation,
    },
  );
}
