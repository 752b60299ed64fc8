import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
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
    /** Runtime directory of the worker, where it notes its build. Not below /run/gpu-hosts, which only root may enter. */
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

/** One word of an Exec line: quoted for systemd, which would else expand `%` and `$` and split at spaces. */
export function unitWord(value: string): string {
  if (/[\n\0]/.test(value)) throw new Error("a word of a unit cannot hold a line break");
  const literal = value.replaceAll("%", "%%").replaceAll("$", "$$$$");
  if (/^[\w%@+=:,./$-]+$/.test(literal)) return literal;
  return `"${literal.replaceAll(/["\\]/g, "\\$&")}"`;
}

const words = (values: readonly (string | number)[]): string =>
  values.map((value) => unitWord(String(value))).join(" ");

/**
 * What a process that outsiders talk to may do: no root, no writing, no other kernel interfaces. The devices stay, since the
 * GPUs are among them and appear when their driver loads, perhaps after the unit was started; no ProtectClock either, whose
 * DeviceAllow would shut out every device it does not name. The user of linux-host is in the groups that own the GPUs; where
 * there is no such user, systemd makes one up.
 */
const confined = `User=gpu-hosts
DynamicUser=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=no
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectHostname=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM`;

/** What a process and its launcher learn from the unit. Its text changes with the build, so the unit restarts then. */
const environment = ({ generation }: Group, { folder, libraries }: Programs): string =>
  [
    `GPU_HOSTS_GENERATION=${generation}`,
    ...(folder ? [`GPU_HOSTS_BUILD=${folder}`] : []),
    ...(libraries ? [`LD_LIBRARY_PATH=${libraries}`] : []),
  ]
    .map((setting) => `Environment=${setting}`)
    .join("\n");

/** The service of a member: starts with the machine, and comes back however often it falls. */
const memberUnit = (
  group: Group,
  programs: Programs,
  description: string,
  lines: string,
  restartSeconds: number,
): string => `[Unit]
Description=${description}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
${environment(group, programs)}
${lines}
Restart=always
RestartSec=${restartSeconds}
${confined}

[Install]
WantedBy=multi-user.target
`;

/** The RPC server of a worker. It asks nobody who they are, so it listens at one address and the firewall lets in the leader. */
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
ExecStart=${words(command)}
# A leader that goes away while it waits in the queue would end a worker that minds SIGPIPE.
IgnoreSIGPIPE=yes`;
  return memberUnit(group, programs, `llama.cpp RPC worker ${index} of ${group.service}`, lines, 2);
}

/** Where a worker tells its leader what it runs; listens also before the address is there, as a tailnet's comes late. */
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
ExecStart=${words([names.script("member"), `/run/${names.runtime}/member.json`])}
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
  const everywhere = isIPv6(address) ? "::" : "0.0.0.0";
  const workers = workersOf(group).map((worker) => `${worker.address}:${group.rpcPort}`);
  return [
    // Both always: the default port of llama-server has moved before.
    ...["--host", service.listen === "lan" ? everywhere : "127.0.0.1"],
    ...["--port", service.port],
    ...["--model", model],
    ...["--alias", aliasOf(group.service, service)],
    ...["--ctx-size", service.context],
    ...["--n-gpu-layers", service.gpuLayers],
    ...(service.parallel ? ["--parallel", service.parallel] : []),
    ...(workers.length > 0 ? ["--rpc", workers.join(",")] : []),
    "--metrics",
  ];
}

/** Model name that clients ask for. */
export const aliasOf = (name: string, service: LlamacppService): string => service.alias ?? name;

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
  const extra = service.extraArgs.length > 0 ? ` ${words(service.extraArgs)}` : "";
  const lines = `${alone ? "" : `ExecStartPre=${words([names.script("gate"), names.group])}\n`}ExecStart=${program} ${words(args)}${key}${extra}
${service.apiKey ? `LoadCredential=api-key:${names.apiKey}\n` : ""}TimeoutStartSec=infinity
TimeoutStopSec=30`;
  return memberUnit(group, programs, `llama.cpp server of ${group.service}`, lines, 5);
}
