import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type AptRepository, startAptRepository } from "#lab/apt-repository.ts";
import type { ExecOptions } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { nvidiaRepository } from "#lab/nvidia-repository.ts";
import { nvidiaDriver } from "#provider/resources/nvidia-driver/nvidia-driver.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Bench, benchOn } from "#tests/support/lab-bench.ts";

// What stands in for the kernel's part and for the packages: lab/nvidia-repository.ts.

describeLab("NvidiaDriver", () => {
  let lab: Lab;
  let bench: Bench;
  let repository: AptRepository;
  let kernel: string;
  const on = (command: string, options?: ExecOptions) => lab.host("alpha").exec(command, options);
  const installed = async () =>
    (await on(`dpkg -l '*nvidia*' 2>/dev/null | awk '/^ii/ { print $2 "=" $3 }'; true`)).trim().split("\n");
  const managed = () => ({
    driver: "managed" as const,
    branch: 580,
    modules: "open" as const,
    repository: repository.url,
  });
  /** A program in the place of a system's own, which prints what is given. */
  const say = (program: string, text: string) =>
    on(`cat > ${program} && chmod 755 ${program}`, { input: `#!/bin/sh\ncat <<'END'\n${text}END\n` });
  // The form of pciutils' `lspci -nn -d 10de:`.
  const card =
    "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation AD102 [GeForce RTX 4090] [10de:2684] (rev a1)\n";

  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    kernel = (await on("uname -r")).trim();
    repository = await startAptRepository(lab.gateway);
    await repository.publish(nvidiaRepository(["580.95.05", "590.48.01"], kernel));
    await on("cat > /etc/apt/keyrings/lab.asc", { input: repository.key });
    await on("cat > /etc/apt/sources.list.d/lab.sources && apt-get update -qq", {
      input: `Types: deb\nURIs: ${repository.url}\nSuites: /\nSigned-By: /etc/apt/keyrings/lab.asc\n`,
    });
    bench = await benchOn(lab.host("alpha"));
  });
  beforeEach(() => say("/usr/bin/lspci", card));

  afterAll(async () => {
    await bench?.close();
    await repository?.close();
    await lab?.stop();
  });

  test("bare → installed → restarted → clean → changed by hand → seen → repaired → removed", async () => {
    const life = bench.live(nvidiaDriver);
    const wants = { ...managed(), allowReboot: true };
    await life.up(wants);
    expect(life.said.join("\n")).toMatch(
      /reboot \(driver 580.95.05 is installed, and its module is not loaded\)/,
    );
    expect(await installed()).toEqual([
      "libnvidia-ml1=580.95.05-1",
      "nvidia-driver-cuda=580.95.05-1",
      "nvidia-driver-pinning-580=580-1",
      "nvidia-kernel-open-dkms=580.95.05-1",
      "nvidia-persistenced=580.95.05-1",
    ]);
    expect(await on("nvidia-smi --query-gpu=name")).toContain("580.95.05");
    expect(await on("systemctl is-active nvidia-persistenced")).toBe("active\n");
    expect(await life.up(wants)).toEqual([]);
  });
});
