import { sh } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** A graphics card of NVIDIA as it shows itself on the PCI bus, driver or not. */
export interface PciGpu {
  /** Name in the list of PCI ids; the id itself where that list is missing, or older than the card. */
  readonly model: string;
  /** `10de:` and the device. */
  readonly id: string;
}

const line = /^[0-9a-f:.]+ .*?\[([0-9a-f]{4})\]: (?:(.*) )?\[([0-9a-f]{4}:[0-9a-f]{4})\](?: \(.*\))*$/;

/** A bridge between GPUs that needs the Fabric Manager; on the bus it is a bridge "other". */
const bridge = /^0680$/;

/** Display controllers: VGA, 3D, other. NVIDIA's sound functions and bridges are none. */
const display = /^03(00|02|80)$/;

/** What lspci says of a card that its list of ids does not have. */
const unnamed = /^(nvidia corporation )?device$/i;

const command = sh`if command -v lspci >/dev/null; then exec lspci -nn -d 10de:; fi
for d in /sys/bus/pci/devices/*; do
[ "$(cat "$d/vendor" 2>/dev/null)" = 0x10de ] || continue
class=$(cut -c 3-6 "$d/class") device=$(cut -c 3- "$d/device")
echo "\${d##*/} [$class]: [10de:$device]"
done; true`;

const devicesIn = (finished: Finished) =>
  linesOf(finished).map((text) => {
    const [kind = "", model = "", id = ""] = partsOf(text, line, "a device");
    return { kind, model, id };
  });

/**
 * NVIDIA's cards on the bus. A minimal system has no lspci: then the kernel's own list is written in the same
 * form, without names.
 */
export const nvidiaCards: Fact<readonly PciGpu[]> = {
  name: "lspci",
  command,
  parse: (finished) =>
    devicesIn(finished).flatMap(({ kind, model, id }) => {
      if (!display.test(kind)) return [];
      return [{ model: model === "" || unnamed.test(model) ? `NVIDIA card ${id}` : model, id }];
    }),
};

/** How many of NVIDIA's switches between GPUs (NVSwitch) the machine has. */
export const nvidiaSwitches: Fact<number> = {
  name: "lspci",
  command,
  parse: (finished) => devicesIn(finished).filter(({ kind }) => bridge.test(kind)).length,
};
