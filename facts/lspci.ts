import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

/** A graphics card of NVIDIA as it shows itself on the PCI bus, driver or not. */
export interface PciGpu {
  /** Name in the list of PCI ids; the id itself where that list is missing. */
  readonly model: string;
  /** `10de:` and the device. */
  readonly id: string;
}

// Display controllers: VGA, 3D, other. NVIDIA's sound functions and bridges are none.
const line = /^\S+ .*\[03(?:00|02|80)\]: (?:(.*) )?\[(10de:[0-9a-f]{4})\]/;

/**
 * NVIDIA's cards on the bus. A minimal system has no lspci: then the kernel's own list is written in the same form, without
 * names.
 */
export const nvidiaCards: Fact<readonly PciGpu[]> = {
  name: "lspci",
  command: sh`if command -v lspci >/dev/null; then exec lspci -nn -d 10de:; fi
for d in /sys/bus/pci/devices/*; do
[ "$(cat "$d/vendor" 2>/dev/null)" = 0x10de ] || continue
class=$(cut -c 3-6 "$d/class") device=$(cut -c 3- "$d/device")
echo "\${d##*/} [$class]: [10de:$device]"
done; true`,
  parse: ({ stdout }) =>
    stdout.split("\n").flatMap((text) => {
      const [, model, id] = line.exec(text) ?? [];
      return id === undefined ? [] : [{ model: model ?? `NVIDIA card ${id}`, id }];
    }),
};
