import { expect, test } from "vitest";
import { groupOf } from "./group.ts";
import { renderLeader, renderMemberAnswer, renderMemberSocket, renderWorker } from "./render.ts";
import { service } from "./samples.ts";

const of = (changes: Parameters<typeof service>[0] = {}) => {
  const wanted = service(changes);
  return { wanted, group: groupOf("big", wanted, (host) => `10.0.0.1${host.at(-1)}`) };
};
const leader = (changes: Parameters<typeof service>[0] = {}) => {
  const { group, wanted } = of(changes);
  return renderLeader(group, wanted, "/models/tiny.gguf");
};
const line = (unit: string, key: string) => unit.split("\n").filter((line) => line.startsWith(`${key}=`));
const worker = { index: 1, host: "rack2", address: "10.0.0.12" };

test("the leader names workers in order, host and port always, and the key by file", () => {
  expect(line(leader({ workers: ["rack3", "rack2"], gpuLayers: 20 }), "ExecStart")).toEqual([
    "ExecStart=llama-server --host 0.0.0.0 --port 8080 --model /models/tiny.gguf --alias big --ctx-size 0 " +
      "--n-gpu-layers 20 --rpc 10.0.0.13:50052,10.0.0.12:50052 --metrics " +
      // biome-ignore lint/suspicious/noTemplateCurlyInString: systemd fills it in
      "--api-key-file ${CREDENTIALS_DIRECTORY}/api-key",
  ]);
});

test("a local leader listens to its own machine only, without a key if none is set", () => {
  const { apiKey: _, ...rest } = service();
  const { group } = of();
  const unit = renderLeader(group, { ...rest, listen: "local" }, "/models/tiny.gguf");
  expect(line(unit, "ExecStart")[0]).toContain("--host 127.0.0.1 ");
  expect(unit).not.toMatch(/api-key|LoadCredential/);
});

test("further arguments come last, as they are written", () => {
  expect(line(leader({ extraArgs: ["--chat-template", "a %s b"] }), "ExecStart")[0]).toMatch(
    /\/api-key --chat-template "a %%s b"$/,
  );
});

test("the leader waits at its gate without end, and comes back whenever it falls", () => {
  const unit = leader();
  expect(line(unit, "ExecStartPre")).toEqual([
    "ExecStartPre=/usr/local/lib/gpu-hosts/big/gate /etc/gpu-hosts/big/group",
  ]);
  for (const setting of ["StartLimitIntervalSec=0", "TimeoutStartSec=infinity", "Restart=always"])
    expect(unit.split("\n")).toContain(setting);
});

test("a worker listens at its own address and carries the generation", () => {
  const { group } = of();
  const unit = renderWorker(group, worker, ["--threads", "8"]);
  expect(line(unit, "ExecStart")).toEqual([
    "ExecStart=/usr/local/lib/gpu-hosts/big/worker /etc/gpu-hosts/big/group 1 --host 10.0.0.12 --port 50052 --threads 8",
  ]);
  expect(line(unit, "Environment")).toEqual([`Environment=GPU_HOSTS_GENERATION=${group.generation}`]);
});

test("the member endpoint starts one answer a connection from the worker's note", () => {
  const { group } = of();
  expect(renderMemberSocket(group, worker)).toMatch(/ListenStream=10\.0\.0\.12:50062\n[\s\S]*Accept=yes/);
  expect(line(renderMemberAnswer(group), "ExecStart")).toEqual([
    "ExecStart=/usr/local/lib/gpu-hosts/big/member /run/llama-rpc-big/member.json",
  ]);
});

test("no unit shuts out the GPUs' devices", () => {
  const { group } = of();
  for (const unit of [leader(), renderWorker(group, worker, [])])
    expect(unit).not.toMatch(/PrivateDevices=yes|DevicePolicy|DeviceAllow=|ProtectClock/);
});
