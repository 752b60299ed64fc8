import { expect, test } from "vitest";
import { nvidiaWish } from "#inventory/nvidia-wish.ts";
import { declared } from "#tests/support/declared.ts";
import { NvidiaDriver } from "./driver.ts";

const machine = {
  release: "Ubuntu 24.04.3 LTS",
  architecture: "x86_64",
  gpus: [{ model: "GeForce GTX 1080", pciId: "10de:1b80" }],
};
const of = (args: object) =>
  declared(
    () => new NvidiaDriver("rack1", { machine, mirror: "https://nvidia.example/repos", after: [], ...args }),
  );

test("a managed driver has its source first, and modules that suit the card", async () => {
  const found = await of({
    machine: { ...machine, nvidia: nvidiaWish.parse({ driver: "managed", allowReboot: true }) },
    key: "-----BEGIN PGP PUBLIC KEY BLOCK-----",
  });
  const repository = "https://nvidia.example/repos/ubuntu2404/x86_64/";
  expect(found.map(({ name, inputs }) => ({ name, inputs }))).toMatchObject([
    { name: "rack1" },
    {
      name: "rack1-nvidia-source",
      inputs: { name: "nvidia", uris: [repository], suites: ["/"], pin: { priority: 600 } },
    },
    {
      name: "rack1-driver",
      inputs: { driver: "managed", branch: 580, modules: "proprietary", repository, allowReboot: true },
    },
  ]);
  expect(found[2]?.dependsOn).toEqual(["rack1-nvidia-source"]);
});

test("a driver that is there needs no source", async () => {
  const found = await of({ machine: { ...machine, driver: "580.95.05" } });
  expect(found.map(({ name }) => name)).toEqual(["rack1", "rack1-driver"]);
  expect(found[1]?.inputs).toMatchObject({ driver: "present", minimum: 525 });
});
