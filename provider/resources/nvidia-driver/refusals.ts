import type { SecureBoot } from "#facts/secure-boot.ts";
import { foreignPackages, type Packages } from "./packages.ts";
import type { NvidiaStatus } from "./status.ts";

const present = "or leave that driver to whoever put it there: `driver: present` for the host";

/** A driver that somebody else brought, with the way to be rid of it; `undefined`: there is none. */
export function foreignDriver(runfile: boolean, packages: Packages): string | undefined {
  const { drivers, vendors } = foreignPackages(packages);
  if (vendors.length > 0)
    return `a vendor's software brings the driver here (${vendors.join(", ")}), and its updates would replace ours; ${present}`;
  if (runfile)
    return `a driver was installed by NVIDIA's installer (.run), which no package knows. Remove it with\n  nvidia-uninstall --silent\n  reboot\n${present}`;
  if (drivers.length === 0) return undefined;
  return `a driver of another source is installed (the distribution's, say). Remove it with\n  apt-get purge ${drivers.join(" ")}\n  reboot\n${present}`;
}

/** What a person does before a module that DKMS builds can be loaded; `undefined`: nothing. */
export function secureBootProblem({ on, ownKeyEnrolled }: SecureBoot): string | undefined {
  if (!on || ownKeyEnrolled) return undefined;
  return `Secure Boot is on, and the kernel would refuse the modules that are built on this machine. Nothing was touched. One of:
  - switch Secure Boot off in the firmware's set-up, at the machine's console
  - enrol the machine's own key: apt-get install dkms mokutil
    Debian: dkms generate_mok; mokutil --import /var/lib/dkms/mok.pub
    Ubuntu: update-secureboot-policy --new-key; mokutil --import /var/lib/shim-signed/mok/MOK.der
    then reboot, choose "Enroll MOK" at the console and type the password that mokutil asked for
  - on Ubuntu install the signed modules of its own archive (ubuntu-drivers install --gpgpu), ${present}`;
}

/** Why a managed driver cannot be had on a machine; nothing may have been touched when this is told. */
export function refusalOf(status: NvidiaStatus): string | undefined {
  if (status.wsl)
    return "this is a distribution in WSL, whose GPU works through the driver of Windows: a Linux driver must never be installed here. Take `nvidia` out of the host's entry, and update the driver in Windows";
  if (status.cards.length === 0)
    return "there is no NVIDIA card on the bus (lspci -d 10de:). Take `nvidia` out of the host's entry, or see to the card";
  return status.foreign ?? (status.needsRestart ? status.secureBoot : null) ?? undefined;
}
