import { readFileSync } from "node:fs";
import { listenAddress, modelName } from "#components/serving/api.ts";
import { renderServingUnit, unitWords } from "#components/serving/unit.ts";
import type { LlamacppService } from "./config.ts";
import { type Group, type Member, workersOf } from "./group.ts";
import type { Programs } from "./install.ts";

/** Units, folders and files of a service on a machine; the prefix before the name keeps services apart. */
export function namesOf(service: string) {
  const scripts = `/usr/local/lib/gpu-hosts/${service}`;
  const folder = `/etc/gpu-hosts/${service}`;
  return {
    leader: `llama-server-${service}.service`,
    worker: `llama-rpc-${service}.service`,
    socket: `llama-member-${service}.socket`,
    /** One instance answers one connection. */
    answer: `llama-member-${service}@.service`,
    /**
     * Runtime directory of the worker, where it notes its build. Not below /run/gpu-hosts, which only root
     * may enter.
     */
    runtime: `llama-rpc-${service}`,
    folder,
    group: `${folder}/group`,
    apiKey: `${folder}/api-key`,
    scripts,
    script: (name: Script) => `${scripts}/${name}`,
  };
}

export type Script = "build" | "gate" | "member" | "members" | "worker";

const read = (name: Script) => readFileSync(new URL(`${name}.sh`, import.meta.url), "utf8");

/** Scripts that a member needs, by their path on the machine. */
export function scriptsOf(
  service: string,
  names: readonly Script[],
): Record<string, { content: string; mode: string }> {
  const { script } = namesOf(service);
  return Object.fromEntries(names.map((name) => [script(name), { content: read(name), mode: "0755" }]));
}

/**
 * What a process and its launcher learn from the unit. Its text changes with the build, so the unit restarts
 * then.
 */
const environmentOf = ({ generation }: Group, { folder, libraries }: Programs): string[] => [
  `GPU_HOSTS_GENERATION=${generation}`,
  ...(folder ? [`GPU_HOSTS_BUILD=${folder}`] : []),
  ...(libraries ? [`LD_LIBRARY_PATH=${libraries}`] : []),
];

/**
 * The RPC server of a worker. It asks nobody who they are, so it listens at one address and the firewall lets
 * in the leader.
 */
export function renderWorker(
  group: Group,
  { index, address }: Member,
  args: readonly string[],
  programs: Programs = {},
): string {
  const names = namesOf(group.service);
  const command = [
    names.script("worker"),
    names.group,
    index,
    "--host",
    address,
    "--port",
    group.rpcPort,
    ...args,
  ];
  const lines = `RuntimeDirectory=${names.runtime}
ExecStart=${unitWords(command)}
# A leader that goes away while it waits in the queue would end a worker that minds SIGPIPE.
IgnoreSIGPIPE=yes`;
  return renderServingUnit({
    description: `llama.cpp RPC worker ${index} of ${group.service}`,
    environment: environmentOf(group, programs),
    lines,
    restartSeconds: 2,
  });
}

/**
 * Where a worker tells its leader what it runs; listens also before the address is there, as a tailnet's
 * comes late.
 */
export function renderMemberSocket(group: Group, { address }: Member): string {
  return `[Unit]
Description=What the llama.cpp RPC worker of ${group.service} runs

[Socket]
ListenStream=${address}:${group.memberPort}
FreeBind=yes
Accept=yes
MaxConnections=16

[Install]
WantedBy=sockets.target
`;
}

/** One answer of the member endpoint. */
export function renderMemberAnswer(group: Group): string {
  const names = namesOf(group.service);
  return `[Unit]
Description=One answer about the llama.cpp RPC worker of ${group.service}
CollectMode=inactive-or-failed

[Service]
ExecStart=${unitWords([names.script("member"), `/run/${names.runtime}/member.json`])}
StandardInput=socket
StandardOutput=socket
StandardError=journal
# A leader that waits asks every two seconds; that it did is no news.
LogLevelMax=notice
RuntimeMaxSec=10
DynamicUser=yes
PrivateDevices=yes
PrivateNetwork=yes
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
CapabilityBoundingSet=
SystemCallFilter=@system-service
`;
}

/** Arguments of llama-server, the API key aside. */
function serverArgs(
  group: Group,
  service: LlamacppService,
  model: string,
  address: string,
): (string | number)[] {
  const workers = workersOf(group).map((worker) => `${worker.address}:${group.rpcPort}`);
  return [
    // Both always: the default port of llama-server has moved before.
    ...["--host", listenAddress(service, address)],
    ...["--port", service.port],
    ...["--model", model],
    ...["--alias", modelName(group.service, service)],
    ...["--ctx-size", service.context],
    ...["--n-gpu-layers", service.gpuLayers],
    ...(service.parallel ? ["--parallel", service.parallel] : []),
    ...(workers.length > 0 ? ["--rpc", workers.join(",")] : []),
    "--metrics",
  ];
}

/** The server. Behind its gate it waits for its workers as long as it takes, also after one was lost. */
export function renderLeader(
  group: Group,
  service: LlamacppService,
  model: string,
  programs: Programs = {},
): string {
  const names = namesOf(group.service);
  const [leader] = group.members;
  const alone = workersOf(group).length === 0;
  const args = serverArgs(group, service, model, leader?.address ?? "");
  const key = service.apiKey ? ` --api-key-file \${CREDENTIALS_DIRECTORY}/api-key` : "";
  const program = programs.folder ? `${programs.folder}/llama-server` : "llama-server";
  const extra = service.extraArgs.length > 0 ? ` ${unitWords(service.extraArgs)}` : "";
  const lines = `${alone ? "" : `ExecStartPre=${unitWords([names.script("gate"), names.group])}\n`}ExecStart=${program} ${unitWords(args)}${key}${extra}
${service.apiKey ? `LoadCredential=api-key:${names.apiKey}\n` : ""}TimeoutStartSec=infinity
TimeoutStopSec=30`;
  return renderServingUnit({
    description: `llama.cpp server of ${group.service}`,
    environment: environmentOf(group, programs),
    lines,
    restartSeconds: 5,
  });
}
