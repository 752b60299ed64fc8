import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { describeLab } from "#tests/support/describe-lab.ts";
import type { LabHost } from "./host.ts";
import { attach, type Lab, type LabOptions, startLab, stopLab } from "./lab.ts";
import { local } from "./local.ts";
import { sweep } from "./slot.ts";

interface Marks {
  readonly dir: string;
  readonly gateway: string;
}

/** Everything on this machine that carries a lab's name, address or folder. */
async function traces({ dir, gateway }: Marks): Promise<string[]> {
  const slot = gateway.split(".")[2];
  const name = new RegExp(
    `\\bghl${slot}\\b|${gateway.replaceAll(".", "\\.")}\\b|${dir}|gpu-hosts-lab/${slot}\\b`,
  );
  const lines = [
    await local("ip", ["-o", "link"]),
    await local("ip", ["netns", "list"]),
    await local("findmnt", ["--raw", "--noheadings"]),
    await local("ps", ["-ww", "-eo", "args"]),
    await local("find", ["/sys/fs/cgroup", "/run/gpu-hosts-lab", "/run/systemd/nspawn", "-maxdepth", "4"]),
  ];
  const found = lines.flatMap((text) => text.split("\n")).filter((line) => name.test(line));
  const claims = await readdir("/run/gpu-hosts-lab");
  return [
    ...found,
    ...claims.filter((file) => file.startsWith(`${slot}.`)),
    ...(existsSync(dir) ? [dir] : []),
  ];
}

/**
 * When the first process of a host started, in clock ticks; the kernel's boot id is the same for all hosts
 * here.
 */
async function bootOf(host: LabHost): Promise<string> {
  const { stdout } = await host.tryExec("cut -d' ' -f22 /proc/1/stat", { timeoutSeconds: 10 });
  return stdout.trim();
}

/** Starts a lab in a process of its own and waits for its first line, a JSON of the lab's marks. */
async function labOfAnother(options: LabOptions): Promise<{ child: ChildProcess; marks: Marks }> {
  const program = `
    const { startLab } = await import(${JSON.stringify(join(import.meta.dirname, "lab.ts"))});
    const { dir, gateway } = await startLab(${JSON.stringify(options)});
    console.log(JSON.stringify({ dir, gateway }));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  return { child, marks: JSON.parse(String(line)) };
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

describeLab("a lab", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab({
      hosts: [
        { name: "alpha", release: "bookworm" },
        { name: "beta", release: "forky" },
      ],
    });
  });
  afterAll(async () => await lab?.stop());

  test("has hosts of both releases that finished booting without a failed unit", async () => {
    for (const host of lab.hosts) {
      expect((await host.exec("systemctl is-system-running --wait")).trim()).toBe("running");
      expect((await host.exec("uname -n")).trim()).toBe(host.name);
      expect(await host.exec(". /etc/os-release; echo $VERSION_CODENAME")).toContain(host.release);
    }
  });

  test("hosts show the key that the lab names", async () => {
    const { address, hostKey } = lab.host("alpha");
    const shown = await local("ssh-keyscan", ["-t", "ed25519", address]);
    expect(await local("ssh-keygen", ["-l", "-f", "-"], { input: shown })).toContain(hostKey);
  });

  test("ops is no root but may become it without a password", async () => {
    const ids = await lab.host("alpha").exec("id -un; sudo --non-interactive id -un", { user: "ops" });
    expect(ids.split("\n")).toEqual(["ops", "root", ""]);
  });

  test("hosts reach each other by name, and nothing outside", async () => {
    await lab.host("alpha").exec("ping -c 1 -W 2 beta");
    expect(await lab.host("alpha").exec("ip route show default")).toBe("");
  });

  test("a host installs packages without a route to the internet", async () => {
    const host = lab.host("alpha");
    await host.exec("apt-get update -q && apt-get install -q --yes --no-install-recommends hello", {
      timeoutSeconds: 120,
    });
    expect(await host.exec("hello")).toContain("Hello");
  });

  test("a host filters packets with nftables", async () => {
    const host = lab.host("beta");
    await host.exec("nft add table inet probe && nft delete table inet probe");
  });

  test("a reboot from inside comes back with the disk as it was", async () => {
    const host = lab.host("alpha");
    const before = await bootOf(host);
    await host.exec("echo kept > /root/mark");
    // sshd may go down before the command has ended; that the host rebooted shows below.
    await host.tryExec("systemctl reboot");
    await expect
      .poll(() => bootOf(host), { timeout: 60_000 })
      .not.toSatisfy((now) => now === before || now === "");
    await host.ready();
    expect(await host.exec("cat /root/mark")).toBe("kept\n");
  });

  test("a loss of power ends everything at once, and the host comes back", async () => {
    const host = lab.host("beta");
    const before = await bootOf(host);
    await host.exec("echo kept > /root/mark");
    await host.kill();
    expect((await host.tryExec("true")).exitCode).toBe(255);
    await host.powerOn();
    expect(await bootOf(host)).not.toBe(before);
    expect(await host.exec("cat /root/mark")).toBe("kept\n");
  });

  test("a host switched off in good order stops its services first", async () => {
    const host = lab.host("alpha");
    const stop =
      "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=touch /root/stopped\n";
    await host.exec("cat > /run/systemd/system/last.service; systemctl start last", { input: stop });
    await host.powerOff();
    expect((await host.tryExec("true")).exitCode).toBe(255);
    await host.powerOn();
    await host.exec("test -e /root/stopped");
  });

  test("a second lab stands beside it, and its end leaves the first alone", async () => {
    const second = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    try {
      expect(second.gateway).not.toBe(lab.gateway);
      expect((await second.host("alpha").exec("uname -n")).trim()).toBe("alpha");
    } finally {
      await second.stop();
    }
    expect((await lab.host("alpha").exec("uname -n")).trim()).toBe("alpha");
  });

  test("sweep leaves a lab alone whose owner lives", async () => {
    await sweep();
    expect((await lab.host("alpha").exec("echo here")).trim()).toBe("here");
  });
});

describeLab("the end of a lab", () => {
  const hosts = [{ name: "alpha", release: "bookworm" }] as const;
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
    await sweep();
  });

  test("stop leaves no trace", async () => {
    const lab = await startLab({ hosts });
    expect((await traces(lab)).length).toBeGreaterThan(10);
    await lab.stop();
    expect(await traces(lab)).toEqual([]);
  });

  test("the next sweep removes the lab of a process that was killed", async () => {
    const { child, marks } = await labOfAnother({ hosts });
    children.push(child);
    await killed(child);
    expect((await traces(marks)).length).toBeGreaterThan(10);
    await sweep();
    expect(await traces(marks)).toEqual([]);
  });

  test("the next sweep removes a lab that was killed at any moment of its start", async () => {
    const dir = join(await mkdtemp(join(tmpdir(), "lab-test-")), "lab");
    for (const delay of [150, 300, 450, 600, 900, 1300]) {
      const program = `const { startLab } = await import(${JSON.stringify(join(import.meta.dirname, "lab.ts"))});
        await startLab(${JSON.stringify({ hosts, dir })}); setInterval(() => {}, 1000);`;
      const child = spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: "inherit" });
      children.push(child);
      await sleep(delay);
      await killed(child);
      await sweep();
      // What the killed process was about to start is a copy of it for a moment, and then at its end by
      // itself.
      await expect.poll(() => local("ps", ["-ww", "-eo", "args"]), { timeout: 30_000 }).not.toContain(dir);
      expect(existsSync(dir) ? await readdir(dir) : []).toEqual([]);
      expect(await readFile("/proc/self/mounts", "utf8")).not.toContain(dir);
    }
    await rm(join(dir, ".."), { recursive: true });
  });

  test("a persistent lab outlives its process; another one finds it by its folder and stops it", async () => {
    const dir = join(await mkdtemp(join(tmpdir(), "lab-test-")), "lab");
    const { child, marks } = await labOfAnother({ hosts, dir, persistent: true });
    children.push(child);
    await killed(child);
    await sweep();
    const lab = await attach(dir);
    expect((await lab?.host("alpha").exec("uname -n"))?.trim()).toBe("alpha");
    await stopLab(dir);
    expect(await traces(marks)).toEqual([]);
    expect(await attach(dir)).toBeUndefined();
    await stopLab(dir);
    await rm(join(dir, ".."), { recursive: true });
  });

  test("a folder with other things in it is refused, not emptied", async () => {
    await expect(startLab({ hosts, dir: import.meta.dirname })).rejects.toThrow("is not empty");
    expect(existsSync(import.meta.filename)).toBe(true);
  });
});
