import { local } from "./local.ts";
import { addressOf, type Slot } from "./slot.ts";

/** Network namespace and machine name of the n-th host. */
export const spaceOf = (slot: Slot, index: number) => `${slot.name}-${index + 1}`;

async function ip(...commands: readonly string[]): Promise<void> {
  await local("ip", ["-batch", "-"], { input: `${commands.join("\n")}\n` });
}

/**
 * The lab's switch: a bridge in a network namespace of its own, where this machine's firewall rules for
 * bridged frames (Docker's, for one) do not reach, and one link from it to this machine. Nothing is routed
 * on: hosts see each other and the servers this machine runs for them, as on a site without internet.
 */
export async function createSwitch(slot: Slot): Promise<void> {
  const { name, gateway } = slot;
  await local("ip", ["netns", "add", name]);
  await ip(
    `link add ${name} type veth peer name uplink netns ${name}`,
    `address add ${gateway}/24 dev ${name}`,
    `link set ${name} up`,
  );
  await local("ip", ["-n", name, "-batch", "-"], {
    input: "link add lan type bridge\nlink set lan up\nlink set uplink master lan up\n",
  });
}

/** Plugs the n-th host into the switch: a namespace whose `eth0` has the host's address. */
export async function plugIn(slot: Slot, index: number): Promise<void> {
  const space = spaceOf(slot, index);
  const port = `port${index + 1}`;
  await local("ip", ["netns", "add", space]);
  // Sent as one batch a namespace; the pair is made from the switch's side.
  await local("ip", ["-n", slot.name, "-batch", "-"], {
    input: `link add ${port} type veth peer name eth0 netns ${space}\nlink set ${port} master lan up\n`,
  });
  await local("ip", ["-n", space, "-batch", "-"], {
    input: `link set lo up\naddress add ${addressOf(slot, index)}/24 dev eth0\nlink set eth0 up\n`,
  });
}
