import type { Survey } from "#checks/survey.ts";
import type { HostEntry } from "#inventory/inventory.ts";
import type { NewEntry } from "#scripts/stack/stack-file.ts";
import { linesUnder } from "#scripts/stack/yaml-edit.ts";

/** What the entry of a new host is made of. */
export interface NewHost {
  /** What it was reached by; `at` is what the operator's ssh config made of the address. */
  readonly reached: Pick<HostEntry, "address" | "port" | "user" | "jump"> & { readonly at: string };
  /** What of the way only the operator's ssh config says, in words. */
  readonly sshConfig: string | undefined;
  readonly hostKey: string;
  /** Type of the key, as known_hosts has it. */
  readonly keyType: string;
  readonly identityFile: string | undefined;
  readonly survey: Survey;
  /** Addresses that stand for the one in use, such as what its name means. */
  readonly same: readonly string[];
}

/** A host of the inventory as `host add` writes it, with comments for who reads it later. */
export function newEntry(host: NewHost): NewEntry {
  const { hostKey, keyType, identityFile, survey } = host;
  const { address, port, user, jump } = host.reached;
  const reached = {
    platform: "linux",
    address,
    ...(port === undefined ? {} : { port }),
    user,
    ...(jump === undefined ? {} : { jump }),
  };
  const key = { hostKey, ...(identityFile === undefined ? {} : { identityFile }) };
  return {
    fields: { ...reached, ...key, ...survey.facts },
    lines: [
      ...fieldLines(reached),
      ...(host.sshConfig === undefined
        ? []
        : [`# Whoever runs up needs this in ~/.ssh/config: ${host.sshConfig}.`]),
      `# ${keyType}; on the machine itself: ssh-keygen -lf ${keyFile(keyType)}`,
      ...fieldLines(key),
      ...groupAddressLines(host),
      "# What the machine has, as it told; `npm run host refresh` reads it again.",
      ...fieldLines(survey.facts),
    ],
  };
}

const fieldLines = (fields: Readonly<Record<string, unknown>>) =>
  Object.entries(fields).flatMap(([key, value]) => linesUnder([key], value));

/** Where a machine keeps its public key of a type. */
export function keyFile(keyType: string): string {
  const name = /ecdsa/.test(keyType) ? "ecdsa" : keyType.replace(/^ssh-/, "");
  return `/etc/ssh/ssh_host_${name}_key.pub`;
}

function groupAddressLines({ survey, reached, same }: NewHost): string[] {
  const addresses = survey.addresses.toSorted(
    (a, b) => Number(b.address === reached.at) - Number(a.address === reached.at),
  );
  const [first, ...more] = privateAddresses(addresses, [reached.address, ...same]);
  if (first === undefined) return [];
  const others = more.map(({ device, address }) => `${address} (${device})`);
  const also = others.length === 0 ? "" : `; it also has ${others.join(", ")}`;
  return [
    `# Address that the other machines use for it, where that is not \`address\`: ${first.device} has this one${also}.`,
    `# groupAddress: ${first.address}`,
  ];
}

/** Bridges of containers and virtual machines: no other machine reaches them. */
const inner = /^(docker|br-|virbr|lxc|lxd|cni|flannel|podman|veth|incus)/;
const isPrivate = /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/;

/** Addresses of a network of their own by which the machine is not reached now. */
function privateAddresses(addresses: Survey["addresses"], used: readonly string[]): Survey["addresses"] {
  return addresses.filter(
    ({ device, address }) => isPrivate.test(address) && !inner.test(device) && !used.includes(address),
  );
}

/**
 * A name for the inventory made from the machine's own; undefined if it has none that tells it from others.
 */
export function nameFrom(hostname: string): string | undefined {
  const [label = ""] = hostname.toLowerCase().split(".");
  const name = label.replaceAll(/[^a-z0-9-]+/g, "-").replaceAll(/^-+|-+$/g, "");
  return name === "" || name === "localhost" ? undefined : name;
}
