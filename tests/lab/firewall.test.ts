import { afterAll, beforeAll, expect, test } from "vitest";
import { type Lab, startLab } from "#lab/lab.ts";
import { run } from "#provider/contract/step.ts";
import { firewall } from "#provider/resources/firewall/firewall.ts";
import { renderTable, tableRevert } from "#provider/resources/firewall/nft.ts";
import { revertible } from "#provider/resources/firewall/revert.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Bench, benchOn } from "#tests/support/lab-bench.ts";
import { quote, sh } from "#transport/command.ts";

describeLab("Firewall", () => {
  let lab: Lab;
  let bench: Bench;
  const on = (command: string) => lab.host("alpha").exec(command);
  /** Which of alpha's ports somebody on another machine can connect to. */
  const openFor = async (name: string, address: string) => {
    const open =
      'for port in 8080 50052; do timeout 1 bash -c "</dev/tcp/$0/$port" 2>/dev/null && echo $port; done; true';
    return (await lab.host(name).exec(`bash -c '${open}' ${address}`)).trim().split("\n").filter(Boolean);
  };
  const open = async () => {
    const { address } = lab.host("alpha");
    return { leader: await openFor("leader", address), other: await openFor("other", address) };
  };
  const ports = () => ({
    "tcp/8080": { from: "any" as const, comment: "chat" },
    "tcp/50052": { from: [lab.host("leader").address], comment: "rpc of chat" },
  });
  const both = ["8080", "50052"];
  const listen = async () => {
    for (const port of both) {
      await on(`systemd-run -q systemd-socket-activate --accept --inetd -l 0.0.0.0:${port} /bin/echo hello`);
    }
  };

  beforeAll(async () => {
    const release = "bookworm" as const;
    lab = await startLab({ hosts: ["alpha", "leader", "other"].map((name) => ({ name, release })) });
    await listen();
    bench = await benchOn(lab.host("alpha"));
  });

  afterAll(async () => {
    await bench?.close();
    await lab?.stop();
  });

  test("bare → guarded → clean → changed by hand → seen → repaired → reboot → port dropped → removed", async () => {
    expect(await open()).toEqual({ leader: both, other: both });
    const life = bench.live(firewall);
    expect(await life.adopts({ ports: ports() })).toEqual([]);
    await life.up({ ports: ports() });
    expect(await open()).toEqual({ leader: both, other: ["8080"] });
    expect(await life.up({ ports: ports() })).toEqual([]);

    await on(
      "nft delete rule inet gpu_hosts input handle $(nft -a list chain inet gpu_hosts input | sed -n 's/.*50052 drop.*handle //p')",
    );
    expect(await life.drift()).toEqual(['ports["tcp/50052"].from']);
    await life.up({ ports: ports() });
    await on(
      "nft insert rule inet gpu_hosts input tcp dport 50052 accept; systemctl disable gpu-hosts-firewall",
    );
    expect(await life.drift()).toEqual(["rules", "boot"]);
    await life.up({ ports: ports() });
    await on("nft flush ruleset");
    expect(await life.drift()).toEqual(["ports"]);
    await life.up({ ports: ports() });
    expect(await open()).toEqual({ leader: both, other: ["8080"] });

    await bench.machine.reboot(60);
    await listen();
    await on("systemctl start nftables; systemctl restart nftables; sleep 1; systemctl reload nftables");
    expect(await life.drift()).toEqual([]);

    await life.up({ ports: { "tcp/8080": { from: [], comment: "chat" } } });
    expect(await on("nft list table inet gpu_hosts | grep -c 50052; true")).toBe("0\n");
    await life.destroy();
    expect(
      await on(
        "nft list tables | grep gpu_hosts; ls /etc/systemd/system | grep gpu-hosts; ls -d /etc/gpu-hosts 2>/dev/null; true",
      ),
    ).toBe("");
  });

  test("an SSH port is refused before anything changes", async () => {
    const life = bench.live(firewall, "ssh");
    const wants = { ports: { "tcp/20-30": { from: ["203.0.113.1"], comment: "" } } };
    await expect(life.up(wants)).rejects.toThrow(/SSH server \(22\)/);
    expect(await on("nft list tables | grep gpu_hosts; true")).toBe("");
    await life.destroy();
  });

  test("rules that lock us out are taken back by the machine", async () => {
    const before = renderTable({ "tcp/8080": { from: [], comment: "before" } });
    const locked = renderTable({ "tcp/22": { from: ["203.0.113.1"], comment: "" } });
    await on(`mkdir -m 700 /run/gpu-hosts-firewall; printf %s ${quote(before)} | nft -f -`);
    const [save, restore] = tableRevert;
    const change = [run(sh`printf '%s\n' ${locked} | nft --file -`)];
    await expect(bench.perform([...revertible(save, restore, change)])).rejects.toThrow(/connect/);
    await expect
      .poll(() => bench.machine.readFile("/etc/hostname"), { timeout: 90_000, interval: 2000 })
      .toBeDefined();
    expect(await on("nft list table inet gpu_hosts")).toContain('comment "before"');
    await on("nft delete table inet gpu_hosts");
  });

  test("rules that were not proven are no success, and a run that was cut off is finished", async () => {
    const life = bench.live(firewall);
    const wants = { ports: ports() };
    const want = firewall.inputs.parse(wants);
    const steps = [
      ...firewall.apply(want, await firewall.observe(bench.machine, want, undefined), {
        before: () => undefined,
      }),
    ];
    const cut = steps.findIndex(({ kind }) => kind === "reconnect");
    await bench.perform(steps.slice(0, cut));
    expect(await openFor("other", lab.host("alpha").address)).toEqual(["8080"]);
    await life.up(wants);
    expect(
      await on("systemctl list-units --all --plain --no-legend 'gpu-hosts-firewall-revert*'; true"),
    ).toBe("");
    expect(await life.drift()).toEqual([]);
    await life.destroy();
  });

  test("with ufw: tagged rules before all others, foreign ones stay", async () => {
    await on("apt-get update -qq && apt-get install -qq -y ufw");
    await on("ufw allow ssh; ufw allow 8080/tcp; ufw deny 9090/tcp; ufw --force enable");
    const mine = await on("ufw show added");
    const life = bench.live(firewall);
    const wants = {
      ports: {
        ...ports(),
        "udp/9000": { from: ["10.1.0.0/16", "fd00::/64"] },
        "tcp/9090": { from: ["10.1.0.1"] },
      },
    };
    await life.up(wants);
    expect(await open()).toEqual({ leader: both, other: ["8080"] });
    expect(await life.up(wants)).toEqual([]);
    expect(await on("nft list tables | grep gpu_hosts; true")).toBe("");

    await on("ufw delete deny 50052/tcp; ufw prepend allow 9000");
    expect(await life.drift()).toEqual(['ports["tcp/50052"].from', "order"]);
    await life.up(wants);
    await on("ufw delete allow 9000");
    expect(await life.drift()).toEqual([]);
    expect(await open()).toEqual({ leader: both, other: ["8080"] });

    await life.up({ ports: { "tcp/50052": { from: [] } } });
    expect(await open()).toEqual({ leader: ["8080"], other: ["8080"] });
    await life.destroy();
    expect(await on("ufw show added")).toBe(mine);
  });

  test("ufw switched off, and on again, later", async () => {
    const life = bench.live(firewall);
    const wants = { ports: ports() };
    await life.up(wants);
    await on("ufw --force disable");
    await life.up(wants);
    expect(await open()).toEqual({ leader: both, other: ["8080"] });
    expect(await on("ufw show added | grep -c gpu-hosts; true")).toBe("0\n");
    await on("ufw --force enable");
    await life.up(wants);
    expect(await open()).toEqual({ leader: both, other: ["8080"] });
    expect(await on("nft list tables | grep gpu_hosts; ls /etc/systemd/system | grep gpu-hosts; true")).toBe(
      "",
    );
    await life.destroy();
  });
});
