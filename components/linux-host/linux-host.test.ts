import { expect, test } from "vitest";
import { declared } from "#tests/support/declared.ts";
import { renderUpgradesGuard } from "./files.ts";
import { LinuxGuest, LinuxHost, type LinuxHostArgs, LostHost } from "./linux-host.ts";

const args: LinuxHostArgs = {
  packages: ["htop"],
  heldPackages: ["nvidia-"],
  unitPrefixes: ["llama-", "toy."],
  openings: [
    { protocol: "tcp", port: 8080, from: "any", why: "chat: the API" },
    { protocol: "udp", port: 41641, from: "any", why: "tailnet: WireGuard" },
    { protocol: "tcp", port: 50052, from: ["10.0.0.11"], why: `${"a".repeat(60)}: the RPC worker` },
  ],
  extraCommands: [],
  login: { address: "10.0.0.12", port: 2222, user: "ops", privateKey: "only-for-tests" },
};

test("a base is packages, files and one firewall with all openings", async () => {
  const resources = await declared(() => new LinuxHost("rack2", args));
  expect(resources.map(({ type, name }) => `${type} ${name}`)).toEqual([
    "gpu-hosts:index:LinuxHost rack2",
    "gpuhost:index:AptPackages rack2-packages",
    "gpuhost:index:Files rack2-files",
    "gpuhost:index:Firewall rack2-firewall",
  ]);
  expect(resources[1]?.inputs.packages).toMatchObject({ curl: "any", nftables: "any", htop: "any" });
  expect(resources[3]?.inputs.ports).toEqual({
    "tcp/8080": { from: "any", comment: "chat: the API" },
    "udp/41641": { from: "any", comment: "tailnet: WireGuard" },
    "tcp/50052": { from: ["10.0.0.11"], comment: "a".repeat(60) },
  });
});

test("needrestart leaves alone the units of every engine", async () => {
  const [, , written] = await declared(() => new LinuxHost("rack2", args));
  const all = written?.inputs.files as Record<string, { content: string }>;
  expect(all["/etc/needrestart/conf.d/gpu-hosts.conf"]?.content.split("\n").slice(1)).toEqual([
    "$nrconf{override_rc}{qr(^llama-)} = 0;",
    "$nrconf{override_rc}{qr(^toy\\.)} = 0;",
    "1;",
    "",
  ]);
});

test("an operator's commands run in their order, after the base, with a key that stays secret", async () => {
  const command = (name: string) => ({
    name,
    create: `echo ${name}`,
    delete: `echo no ${name}`,
    triggers: ["1"],
  });
  const extraCommands = [command("first"), command("second")];
  const resources = await declared(() => new LinuxHost("rack2", { ...args, extraCommands }));
  const [first, second] = resources.filter(({ type }) => type === "command:remote:Command");
  expect(first?.inputs).toMatchObject({
    create: "echo first",
    delete: "echo no first",
    triggers: ["1"],
    connection: { host: "10.0.0.12", port: 2222, user: "ops", privateKey: "only-for-tests" },
  });
  expect(first?.secrets).toContain("connection");
  expect(first?.dependsOn).toEqual(["rack2-packages", "rack2-files", "rack2-firewall"]);
  expect(second?.dependsOn).toContain("rack2-first");
});

test("of a machine that is gone its commands are declared to be forgotten: same name, nothing that changes, no delete", async () => {
  const extraCommands = [{ name: "first", create: "echo", delete: "echo no", triggers: ["1"] }];
  const [of, command] = await declared(() => new LostHost("rack2", { ...args, extraCommands }));
  const [like] = await declared(() => new LinuxHost("rack2", { ...args, extraCommands }));
  expect(of?.type).toBe(like?.type);
  expect(command).toMatchObject({
    type: "command:remote:Command",
    name: "rack2-first",
    retainOnDelete: true,
    ignoreChanges: ["connection", "create", "update", "delete", "triggers"],
    dependsOn: [],
  });
});

test("the upgrades guard writes beginnings of names as the expressions that unattended-upgrades matches", () => {
  expect(renderUpgradesGuard(["nvidia-", "llama.cpp"])).toBe(`\
// Written by gpu-hosts. A driver that is replaced under a running service takes the GPUs away from it until a reboot.
Unattended-Upgrade::Package-Blacklist {
  "^nvidia-";
  "^llama\\.cpp";
};
Unattended-Upgrade::Automatic-Reboot "false";
`);
});

test("a machine whose base another stack has gets the packages that services are asked with, and nothing that has one owner", async () => {
  const resources = await declared(() => new LinuxGuest("rack2"));
  expect(resources.map(({ name }) => name)).toEqual(["rack2", "rack2-packages"]);
  expect(resources[1]?.inputs.packages).toEqual({ "ca-certificates": "any", curl: "any", iproute2: "any" });
});
