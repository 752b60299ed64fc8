import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf } from "./lines.ts";

/** Whether the firmware lets the kernel load only modules that a known key signed. */
export interface SecureBoot {
  readonly on: boolean;
  /** The machine's own key, with which DKMS signs, is among the known ones. */
  readonly ownKeyEnrolled: boolean;
}

/** Where DKMS keeps that key: Debian and Ubuntu. */
const ownKeys = ["/var/lib/dkms/mok.pub", "/var/lib/shim-signed/mok/MOK.der"];

const variable = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/**
 * Told by mokutil, and without it by the firmware's own variable, whose fifth byte says so. A machine that
 * was not started by EFI has no Secure Boot.
 */
export const secureBoot: Fact<SecureBoot> = {
  name: "Secure Boot",
  command: sh`if command -v mokutil >/dev/null; then
  mokutil --sb-state 2>/dev/null | head -n 1
  for key in ${ownKeys}; do [ ! -f "$key" ] || mokutil --test-key "$key" 2>/dev/null; done
else [ ! -r ${variable} ] || echo "variable $(od -An -tu1 -j4 -N1 ${variable})"
fi; echo end`,
  parse: (finished) => {
    const lines = linesOf(finished);
    if (lines.at(-1) !== "end") throw new Error("the answer about Secure Boot has no end");
    return {
      on: lines.some((line) => /^(SecureBoot enabled|variable +1)$/.test(line)),
      ownKeyEnrolled: lines.some((line) => /is already enrolled/.test(line)),
    };
  },
};
