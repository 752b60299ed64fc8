import { expect, test } from "vitest";
import { parse } from "yaml";
import { hostEntry } from "#inventory/inventory.ts";
import { nameFrom, newEntry } from "./new-entry.ts";

const host = {
  reached: { user: "ops", address: "203.0.113.7", at: "203.0.113.7", port: 2222 },
  sshConfig: undefined,
  hostKey: `SHA256:${"A".repeat(43)}`,
  keyType: "ssh-ed25519",
  identityFile: undefined,
  same: [],
  survey: {
    facts: {
      release: "Debian GNU/Linux 12 (bookworm)",
      architecture: "x86_64",
      cpuCores: 16,
      memoryGiB: 125.7,
      gpus: [{ model: "NVIDIA GeForce RTX 4090", memoryGiB: 24, computeCapability: "8.9", uuid: "GPU-1" }],
    },
    system: { id: "debian", like: [], name: "" },
    hostname: "rack1",
    addresses: [
      { device: "eth0", address: "203.0.113.7" },
      { device: "docker0", address: "172.17.0.1" },
      { device: "eth1", address: "192.168.7.11" },
      { device: "tailscale0", address: "100.101.1.2" },
    ],
    freeGiB: undefined,
    leftOut: [],
    gpuTrouble: undefined,
  },
};

test("an entry with its comments; a private address is only proposed", () => {
  const { lines, fields } = newEntry(host);
  expect(lines.join("\n")).toMatchInlineSnapshot(`
    "platform: linux
    address: 203.0.113.7
    port: 2222
    user: ops
    # ssh-ed25519; on the machine itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub
    hostKey: SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    # Address that the other machines use for it, where that is not \`address\`: eth1 has this one; it also has 100.101.1.2 (tailscale0).
    # groupAddress: 192.168.7.11
    # What the machine has, as it told; \`npm run host refresh\` reads it again.
    release: Debian GNU/Linux 12 (bookworm)
    architecture: x86_64
    cpuCores: 16
    memoryGiB: 125.7
    gpus:
      - { model: NVIDIA GeForce RTX 4090, memoryGiB: 24, computeCapability: "8.9", uuid: GPU-1 }"
  `);
  expect(parse(lines.join("\n"))).toEqual(fields);
  expect(hostEntry.parse(fields)).toMatchObject(fields);
});

test("without another private address nothing is proposed", () => {
  const used = {
    ...host,
    reached: { ...host.reached, address: "rack1.lan" },
    same: ["192.168.7.11", "100.101.1.2"],
  };
  expect(newEntry(used).lines.join("\n")).not.toContain("groupAddress");
});

test("a way through other machines is written as it was given, and told where it is the ssh config's", () => {
  const { lines, fields } = newEntry({
    ...host,
    reached: { user: "ops", address: "rack1", at: "100.101.1.2", jump: ["bastion", "ops@10.0.0.1"] },
    sshConfig: "HostName 100.101.1.2",
  });
  expect(lines.slice(0, 7)).toEqual([
    "platform: linux",
    "address: rack1",
    "user: ops",
    "jump:",
    "  - bastion",
    "  - ops@10.0.0.1",
    "# Whoever runs up needs this in ~/.ssh/config: HostName 100.101.1.2.",
  ]);
  // What it is reached at is what others will rather use.
  expect(lines).toContain("# groupAddress: 100.101.1.2");
  expect(fields).not.toHaveProperty("port");
  expect(parse(lines.join("\n"))).toEqual(fields);
});

test.each([
  ["rack1", "rack1"],
  ["GPU_01.example.org", "gpu-01"],
  ["-x-", "x"],
  ["localhost.localdomain", undefined],
  ["漢字", undefined],
])("the hostname %s gives the name %s", (hostname, name) => {
  expect(nameFrom(hostname)).toBe(name);
});
