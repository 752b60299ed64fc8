import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type AptRepository, startAptRepository } from "#lab/apt-repository.ts";
import type { ExecOptions } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { nvidiaRepository } from "#lab/nvidia-repository.ts";
import { nvidiaDriver } from "#provider/resources/nvidia-driver/nvidia-driver.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { failed, ok } from "#tests/support/ended.ts";
import { type Bench, benchOn } from "#tests/support/lab-bench.ts";
import { inventoryEntry } from "#tests/support/stack-config.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";

// What stands in for the kernel's part and for the packages: lab/nvidia-repository.ts.

// The form of pciutils' `lspci -nn -d 10de:`.
const card =
  "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation AD102 [GeForce RTX 4090] [10de:2684] (rev a1)\n";

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

    // By hand: a newer version of the branch, and then the pin gone and the next branch.
    await repository.publish(nvidiaRepository(["580.95.05", "580.105.08", "590.48.01"], kernel));
    await on("apt-get update -qq && apt-get upgrade -qq -y");
    expect(await installed()).toContain("nvidia-driver-cuda=580.105.08-1");
    expect(await life.drift()).toEqual(["restart"]);
    await expect(life.up(managed())).rejects.toThrow(
      /module 580.95.05 is loaded and 580.105.08 is installed[\s\S]*set nvidia.allowReboot: true/,
    );
    await life.up(wants);
    expect(await on("cat /sys/module/nvidia/version")).toBe("580.105.08\n");
    await on("apt-get remove -qq -y nvidia-driver-pinning-580 && systemctl stop nvidia-persistenced");
    expect(await life.drift()).toEqual(["packages", "persistence"]);
    await life.up(wants);
    expect(await life.drift()).toEqual([]);

    await life.destroy();
    expect(await installed()).toEqual([""]);
    await bench.machine.reboot(60);
  });

  test("without leave to restart, what is installed waits for the next `up`", async () => {
    const life = bench.live(nvidiaDriver);
    await expect(life.up({ ...managed(), modules: "proprietary" })).rejects.toThrow(
      /its module is not loaded[\s\S]*restart it by hand and run `up` again/,
    );
    expect(await installed()).toContain("nvidia-kernel-dkms=580.105.08-1");
    await bench.machine.reboot(60);
    await life.up({ ...managed(), modules: "proprietary" });
    expect(await life.drift()).toEqual([]);

    // The same driver as one that somebody else installed.
    const watched = bench.live(nvidiaDriver, "watched");
    expect(await watched.up({ driver: "present", minimum: 580 })).toEqual([]);
    await expect(watched.up({ driver: "present", minimum: 590 })).rejects.toThrow(
      /driver 580.105.08 is older than branch 590/,
    );
    await on("mkdir /run/aside && mv /usr/bin/nvidia-smi /run/aside");
    expect(await watched.drift()).toEqual(["minimum", "answer"]);
    await on("mv /run/aside/nvidia-smi /usr/bin");
    await watched.destroy();
    expect(await installed()).toContain("nvidia-kernel-dkms=580.105.08-1");
    await life.destroy();
    expect(await installed()).toEqual([""]);
    await bench.machine.reboot(60);
  });

  test.each([
    ["no card", "", /there is no NVIDIA card on the bus/],
    ["a driver of the distribution", "apt", /apt-get purge nvidia-driver-550[\s\S]*reboot/],
    ["NVIDIA's installer", "runfile", /nvidia-uninstall --silent/],
    ["Secure Boot", "secure", /Secure Boot is on[\s\S]*mokutil --import/],
    ["WSL", "wsl", /driver of Windows/],
  ])("refused before anything is touched: %s", async (_, what, said) => {
    const life = bench.live(nvidiaDriver);
    if (what === "") await say("/usr/bin/lspci", "");
    if (what === "apt")
      await on(
        `cd /run && mkdir -p it/DEBIAN && printf 'Package: nvidia-driver-550\nVersion: 550.163.01-0ubuntu0.24.04.1\nArchitecture: all\nMaintainer: lab <lab@example.invalid>\nDescription: stands in for the driver of Ubuntu'"'"'s archive\n' > it/DEBIAN/control && dpkg-deb -b it it.deb && dpkg -i it.deb`,
      );
    if (what === "runfile") await say("/usr/bin/nvidia-uninstall", "");
    if (what === "secure") await say("/usr/bin/mokutil", "SecureBoot enabled\n");
    if (what === "wsl") await on("touch /dev/dxg");
    await expect(life.up(managed())).rejects.toThrow(said);
    expect(await on("dpkg -l nvidia-driver-pinning-580 2>/dev/null | grep -c ^ii; true")).toBe("0\n");
    await on("rm -f /usr/bin/mokutil /usr/bin/nvidia-uninstall /dev/dxg; dpkg -P nvidia-driver-550");
    await life.destroy();
  });

  test("a branch that the repository does not have is told", async () => {
    const life = bench.live(nvidiaDriver);
    await expect(life.up({ ...managed(), branch: 610 })).rejects.toThrow(/nvidia-driver-pinning-610/);
    await life.destroy();
  });

  test("nouveau is driven out by a restart", async () => {
    const life = bench.live(nvidiaDriver);
    await on("mount -t tmpfs tmpfs /sys/module && mkdir /sys/module/nouveau");
    await life.up({ ...managed(), allowReboot: true });
    expect(life.said.join("\n")).toMatch(/reboot \(nouveau drives the card/);
    expect(await life.drift()).toEqual([]);
    await life.destroy();
  });
});

describeLab("a stack with a managed driver", () => {
  let lab: Lab;
  let repository: AptRepository;
  let workspace: Workspace;
  const on = (command: string, options?: ExecOptions) => lab.host("alpha").exec(command, options);

  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    repository = await startAptRepository(lab.gateway, "/debian12/x86_64");
    await repository.publish(nvidiaRepository(["580.95.05", "590.48.01"], (await on("uname -r")).trim()));
    await on("cat > /usr/bin/lspci && chmod 755 /usr/bin/lspci", {
      input: `#!/bin/sh\ncat <<'END'\n${card}END\n`,
    });
    workspace = createWorkspace();
  });

  afterAll(async () => {
    await repository?.close();
    await lab?.stop();
    workspace?.remove();
  });

  const pulumi = (verb: string, ...args: string[]) => workspace.pulumi(verb, "--stack", "lab", ...args);
  const configure = (nvidia: object) =>
    workspace.configure("lab", {
      "gpuhost:hosts": {
        alpha: inventoryEntry(lab.host("alpha"), {
          release: "Debian GNU/Linux 12 (bookworm)",
          architecture: "x86_64",
          gpus: [{ model: "NVIDIA Corporation AD102 [GeForce RTX 4090]", pciId: "10de:2684" }],
          nvidia,
        }),
      },
      "gpu-hosts:mirrors": { nvidia: repository.url.replace("/debian12/x86_64", "") },
      "gpu-hosts:base": { nvidiaKey: repository.key },
    });

  test("source, packages, restart, and the next `up` changes nothing", async () => {
    await configure({ driver: "managed" });
    const preview = ok(await pulumi("preview"));
    expect(preview).toContain("NvidiaDriver");
    const stopped = failed(await pulumi("up", "--yes", "--skip-preview"));
    expect(stopped).toContain("set nvidia.allowReboot: true in the host's entry");
    expect(await on("cat /etc/apt/sources.list.d/nvidia.sources")).toContain("/debian12/x86_64/");
    expect(await on("cat /etc/apt/apt.conf.d/52gpu-hosts-unattended-upgrades")).toContain('"^nvidia-"');

    await configure({ driver: "managed", allowReboot: true });
    ok(await pulumi("up", "--yes", "--skip-preview"));
    expect(await on("nvidia-smi")).toContain("580.95.05");
    ok(await pulumi("up", "--yes", "--skip-preview", "--expect-no-changes"));
    ok(await workspace.script("drift", "lab"));
    ok(await pulumi("destroy", "--yes", "--skip-preview"));
    expect(
      await on(
        "dpkg -l '*nvidia*' 2>/dev/null | grep -c ^ii; ls /etc/apt/sources.list.d/nvidia.sources 2>&1; true",
      ),
    ).toMatch(/^0\nls: cannot access/);
  });
});
