import { expect, test } from "vitest";
import { findingsOf } from "#provider/contract/resource.ts";
import { shown } from "#provider/contract/step.ts";
import { nvidiaDriver } from "./nvidia-driver.ts";
import { driverParts, foreignPackages, missingParts } from "./packages.ts";
import type { NvidiaStatus } from "./status.ts";

const repository = "https://nvidia.example/ubuntu2404/x86_64/";
const want = nvidiaDriver.inputs.parse({ driver: "managed", branch: 580, modules: "open", repository });
const present = nvidiaDriver.inputs.parse({});
const context = { before: () => undefined };

const status: NvidiaStatus = {
  loaded: null,
  installed: null,
  cards: ["NVIDIA Corporation AD102 [GeForce RTX 4090]"],
  packages: {},
  wsl: false,
  foreign: null,
  secureBoot: null,
  missing: ["nvidia-driver-pinning-580", "linux-headers-6.8.0-45-generic"],
  unknown: [],
  needsRestart: true,
};
const seen = (findings: Record<string, string>, change: Partial<NvidiaStatus> = {}, wants = want) => ({
  config: wants,
  findings: findingsOf(findings),
  status: { ...status, ...change },
});
const steps = (have: ReturnType<typeof seen>, wants = want) =>
  [...nvidiaDriver.apply(wants, have, context)].map(shown);

test("the pin comes first, and what it leads to is looked at anew", () => {
  const taken = steps(seen({ packages: "missing: all" }));
  expect(taken.at(-2)).toBe("apt-get install nvidia-driver-pinning-580 linux-headers-6.8.0-45-generic");
  expect(taken.at(-1)).toMatch(/^look again/);
});

test("a branch without packages ends before any is installed", () => {
  const have = seen(
    { packages: "missing: libraries" },
    { missing: ["nvidia-dkms-580"], unknown: ["libraries"] },
  );
  expect(steps(have)).toEqual(["look for the driver's packages"]);
});

test("a restart is a step of its own where it is allowed, and otherwise the end", () => {
  const have = seen({ restart: "module 1 is loaded and 2 is installed" });
  expect(steps(have)).toEqual(["stop: the machine needs a restart"]);
  expect(steps(have, { ...want, allowReboot: true })).toEqual([
    "reboot (module 1 is loaded and 2 is installed)",
  ]);
  expect(steps(seen({ restart: "so" }, {}, present), { ...present, allowReboot: true })).toEqual([
    "reboot (so)",
  ]);
});

test("the daemon is switched on before the restart, and started without one", () => {
  const daemon = { persistence: "it is inactive" };
  expect(steps(seen({ restart: "so", ...daemon }), { ...want, allowReboot: true })[0]).toBe(
    "systemctl enable nvidia-persistenced.service",
  );
  expect(steps(seen(daemon))).toEqual(["start nvidia-persistenced.service"]);
});

test.each([
  [{ wsl: true }, "driver of Windows"],
  [{ cards: [] }, "no NVIDIA card on the bus"],
  [{ foreign: "a driver of another source" }, "a driver of another source"],
  [{ secureBoot: "Secure Boot is on" }, "Secure Boot is on"],
])("%j is refused before a step", (change, said) => {
  expect(() => steps(seen({ packages: "missing: all" }, change))).toThrow(said);
});

test("Secure Boot is no matter where the module is loaded already", () => {
  const have = seen({ persistence: "down" }, { secureBoot: "Secure Boot is on", needsRestart: false });
  expect(steps(have)).toHaveLength(1);
});

test("a driver that is only watched is neither claimed nor removed", () => {
  expect(nvidiaDriver.items(present)).toEqual([]);
  expect([...nvidiaDriver.remove(seen({}, { packages: { "nvidia-smi": "1" } }, present), context)]).toEqual(
    [],
  );
});

test("removal takes our packages and not the kernel's headers; a driver from before us stays", () => {
  const have = seen({}, { packages: { "nvidia-dkms-580-open": "1", "linux-headers-6.8": "1" } });
  expect([...nvidiaDriver.remove(have, context)].map(shown).at(-1)).toBe(
    "apt-get remove nvidia-dkms-580-open",
  );
  expect([...nvidiaDriver.remove(have, { before: () => ({ branch: 570 }) })]).toEqual([]);
});

test.each([
  [{ driver: "managed" }, "all three"],
  [{ driver: "present", branch: 580 }, "all three"],
  [{ driver: "both" }, "driver"],
])("%j is refused", (inputs, said) => {
  expect(JSON.stringify(nvidiaDriver.inputs.safeParse(inputs).error?.issues)).toContain(said);
});

// Names of NVIDIA's repositories: driver installation guide, 2026-05.
const offer = (version: string, installed?: string) => ({
  installed,
  candidate: version,
  fromRepository: [version],
});

test.each([
  [
    "Ubuntu, 580",
    580,
    ["nvidia-dkms-580-open", "libnvidia-compute-580", "nvidia-utils-580"],
    "580.95.05-0ubuntu1",
  ],
  [
    "Ubuntu, 590",
    590,
    ["nvidia-dkms-open", "libnvidia-compute", "nvidia-persistenced"],
    "590.48.01-1ubuntu1",
  ],
  [
    "Debian, 580",
    580,
    ["nvidia-kernel-open-dkms", "nvidia-driver-cuda", "nvidia-persistenced"],
    "580.95.05-1",
  ],
])("packages of %s are found by what the repository has", (_, branch, names, version) => {
  const packages = new Map(names.map((name) => [name, offer(version)]));
  const parts = driverParts({ branch, modules: "open" }, false);
  expect(missingParts(parts, branch, packages)).toMatchObject({ names, unknown: [] });
});

test("the same name from the distribution's archive, or of another branch, is not taken", () => {
  const parts = driverParts({ branch: 580, modules: "open" }, true);
  const packages = new Map([
    ["nvidia-dkms-580-open", { ...offer("580.95.05-0ubuntu0.24.04.2"), fromRepository: [] }],
    ["libnvidia-compute", offer("590.48.01-1ubuntu1")],
  ]);
  expect(missingParts(parts, 580, packages).unknown).toEqual([
    "kernel modules",
    "libraries",
    "Fabric Manager",
  ]);
});

test("a driver is foreign where its version is not of the repository", () => {
  const theirs = { ...offer("550.163.01-2", "550.163.01-2"), fromRepository: [] };
  const packages = new Map([
    ["nvidia-kernel-dkms", theirs],
    ["nvidia-container-toolkit", theirs],
    ["nvidia-driver-cuda", offer("580.95.05-1", "580.95.05-1")],
    ["lambda-stack-cuda", theirs],
  ]);
  expect(foreignPackages(packages)).toEqual({
    drivers: ["nvidia-kernel-dkms"],
    vendors: ["lambda-stack-cuda"],
  });
});
