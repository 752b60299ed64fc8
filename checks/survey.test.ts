import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fileSystemOf } from "#facts/df.ts";
import { ipv4Addresses } from "#facts/ip-address.ts";
import { cpuCores } from "#facts/lscpu.ts";
import { nvidiaCards } from "#facts/lspci.ts";
import { memoryTotal } from "#facts/meminfo.ts";
import { gpus } from "#facts/nvidia-smi.ts";
import { osRelease } from "#facts/os-release.ts";
import { uname } from "#facts/uname.ts";
import { machineFacts } from "#inventory/machine-facts.ts";
import { keyOf } from "#transport/command.ts";
import { HostError } from "#transport/errors.ts";
import { fakeHost } from "#transport/fake.ts";
import type { Fact, Host } from "#transport/host.ts";
import { survey } from "./survey.ts";

const recorded = (name: string) =>
  readFileSync(new URL(`../facts/fixtures/${name}.debian12.txt`, import.meta.url), "utf8");

const noDriver = { exitCode: 127, stderr: "env: 'nvidia-smi': No such file or directory\n" };
const answers = {
  [keyOf(osRelease.command)]: recorded("os-release"),
  [keyOf(uname.command)]: recorded("uname"),
  [keyOf(cpuCores.command)]: recorded("lscpu"),
  [keyOf(memoryTotal.command)]: recorded("meminfo"),
  [keyOf(fileSystemOf("/var/lib").command)]: recorded("df"),
  [keyOf(ipv4Addresses.command)]: recorded("ip-address"),
  [keyOf(gpus.command)]: noDriver,
  [keyOf(nvidiaCards.command)]: "",
};

test("a machine without a GPU", async () => {
  expect(await survey(fakeHost(answers))).toMatchObject({
    facts: {
      release: "Debian GNU/Linux 12 (bookworm)",
      architecture: "x86_64",
      cpuCores: 2,
      memoryGiB: 23.5,
      diskGiB: 252,
      gpus: [],
    },
    hostname: "alpha",
    freeGiB: 74,
    gpuTrouble: undefined,
  });
});

test("the driver is asked first; a GPU that shares the main memory has none of its own", async () => {
  const stdout = [
    "0, GPU-1, NVIDIA H200, 580.95.05, 143771, 512, 3, 41, 9.0",
    "1, GPU-2, NVIDIA GB10, 580.95.05, [N/A], [N/A], 0, 40, 12.1\n",
  ].join("\n");
  const { facts, gpuTrouble } = await survey(fakeHost({ ...answers, [keyOf(gpus.command)]: stdout }));
  expect(facts.driver).toBe("580.95.05");
  expect(facts.gpus).toEqual([
    { model: "NVIDIA H200", memoryGiB: 140.4, computeCapability: "9.0", uuid: "GPU-1" },
    { model: "NVIDIA GB10", computeCapability: "12.1", uuid: "GPU-2" },
  ]);
  expect(gpuTrouble).toBeUndefined();
});

test("a card that no driver answers for is named by the bus, with the reason", async () => {
  const card =
    "01:00.0 3D controller [0302]: NVIDIA Corporation GH100 [H200 SXM 141GB] [10de:2335] (rev a1)\n";
  const { facts, gpuTrouble } = await survey(fakeHost({ ...answers, [keyOf(nvidiaCards.command)]: card }));
  expect(facts.gpus).toEqual([{ model: "NVIDIA Corporation GH100 [H200 SXM 141GB]", pciId: "10de:2335" }]);
  expect(gpuTrouble).toContain("driver is missing");
});

test("what the inventory could not hold is left out and told, so that one machine cannot spoil the stack file", async () => {
  const host = fakeHost(answers);
  const reading = {
    state: "ok",
    gpus: [{ name: "A\u001b[2J", driver: "580.1 evil: 1", memoryTotalMib: 1024, uuid: "GPU-1" }],
  };
  const ask = async <T>(fact: Fact<T>): Promise<T> =>
    fact.name === gpus.name ? (reading as T) : await host.ask(fact);
  const { facts, leftOut } = await survey({ ...host, ask } as Host);
  expect(Object.keys(facts)).toEqual(["release", "architecture", "cpuCores", "memoryGiB", "diskGiB", "gpus"]);
  expect(JSON.stringify(facts.gpus)).not.toContain("u001b");
  expect(leftOut).toEqual(["driver: must be a version such as 580.95.05"]);
  expect(machineFacts.safeParse(facts).success).toBe(true);
});

test("a tool that hangs or is missing hides nothing else", async () => {
  const host = fakeHost(answers);
  const failing: readonly string[] = [gpus.name, cpuCores.name];
  const ask = async <T>(fact: Fact<T>): Promise<T> => {
    if (failing.includes(fact.name)) throw new HostError(host, "timeout", "it took too long");
    return await host.ask(fact);
  };
  const { facts } = await survey({ ...host, ask } as Host);
  expect(facts).toMatchObject({ memoryGiB: 23.5, gpus: [] });
  expect("cpuCores" in facts).toBe(false);
});

test("what a machine tells steers no terminal, and what the inventory refuses is left out", async () => {
  const evil = "\u001b]0;owned\u0007\u001b[2J\u202e";
  const host = fakeHost({
    ...answers,
    [keyOf(osRelease.command)]: `ID=debian\nPRETTY_NAME="Debian ${evil}13"\n`,
    [keyOf(gpus.command)]: `0, GPU-1, NVIDIA ${evil}H200, 580.1 evil: 1, 143771, 512, 3, 41, 9.0\n`,
  });
  const { facts, system } = await survey(host);
  expect(system.name).toBe("Debian 13");
  expect(facts).toMatchObject({ release: "Debian 13", gpus: [{ model: "NVIDIA H200" }] });
  expect(facts).not.toHaveProperty("driver");
  expect(machineFacts.safeParse(facts).success).toBe(true);
});
