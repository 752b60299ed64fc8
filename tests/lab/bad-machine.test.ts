import { createHash, randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { LabHost } from "#lab/host.ts";
import { type Hub, startHub } from "#lab/hub.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { runsOn } from "#tests/support/bad-run.ts";
import { describeLab } from "#tests/support/describe-lab.ts";

/**
 * One host is in no state to be brought there, or what is asked of it cannot be; the other is finished in the
 * same run.
 */

describeLab("a host that cannot be brought there", () => {
  let lab: Lab;
  let hub: Hub;
  let alpha: LabHost;
  let runs: ReturnType<typeof runsOn>;
  const on = (command: string, input = "") => alpha.exec(command, { input });
  const again = "run `up` again";
  const packages = (...names: string[]) => ({
    type: "AptPackages",
    inputs: { packages: Object.fromEntries(names.map((name) => [name, "any"])) },
  });

  beforeAll(async () => {
    lab = await startLab({
      hosts: [
        { name: "alpha", release: "bookworm" },
        { name: "beta", release: "bookworm" },
      ],
    });
    hub = await startHub(lab.gateway);
    alpha = lab.host("alpha");
    runs = runsOn(alpha, lab.host("beta"));
  });

  // Also after a test that failed: the next one begins on a host that has nothing wrong with it.
  afterEach(async () => {
    await on(`systemctl stop apt-daily-lab somebody-else.socket somebody-else 2>/dev/null
      for at in /opt /srv/lab /var/lib/gpu-hosts; do ! mountpoint -q $at || umount $at; done`);
  });

  afterAll(async () => {
    await hub?.close();
    await lab?.stop();
  });

  test("a read-only disk: which one, why the kernel does this, and how to get it back", async () => {
    const run = {
      type: "Files",
      inputs: { files: { "/etc/lab-a": { content: "a" }, "/opt/lab-b": { content: "b" } } },
    };
    await on("mount --bind /opt /opt && mount -o remount,bind,ro /opt");
    const failed = await runs.fails(run);
    expect(failed.message).toMatch(/Files it: cannot write \/opt\/lab-b\n.*Read-only file system/);
    expect(failed.message).toMatch(/\n {2}\/opt \(\w+ on \S+\) is mounted read-only\n/);
    expect(failed.message).toContain("1 of 2 steps were done");
    expect(failed.message).toContain("journalctl -k");
    expect(failed.message).toMatch(/mount -o remount,rw \/opt\. Then run `up` again$/);
    expect(failed.unhealthy?.properties.applied).toBeDefined();
    await on("umount /opt");
    await runs.succeeds(run, failed);
  });

  test("a full disk: which one, how full, and where room is made", async () => {
    const run = { type: "Files", inputs: { files: { "/srv/lab/x": { content: "x".repeat(9000) } } } };
    await on(`mkdir -p /srv/lab && mount -t tmpfs -o size=64k tmpfs /srv/lab
      head -c 1M /dev/zero > /srv/lab/log 2>/dev/null; true`);
    const failed = await runs.fails(run);
    expect(failed.message).toMatch(/Files it: cannot write \/srv\/lab\/x\n.*No space left on device/);
    expect(failed.message).toContain("/srv/lab (tmpfs) has 0 bytes free of 65.5 kB");
    expect(failed.message).toMatch(/make room there \(apt-get clean;.*\n.*Then run `up` again$/);
    expect(failed.unhealthy).toBeDefined();
    expect(await on("ls -A /srv/lab"), "nothing of it is left").toBe("log\n");
    await on("rm /srv/lab/log");
    await runs.succeeds(run, failed);
    await on("umount /srv/lab");
  });

  test("a full disk where gpu-hosts keeps its own records is told as well", async () => {
    const run = { type: "Files", inputs: { files: { "/etc/lab-a": { content: "a" } } } };
    await on(`mkdir -p /var/lib/gpu-hosts && mount -t tmpfs -o size=64k tmpfs /var/lib/gpu-hosts
      head -c 1M /dev/zero > /var/lib/gpu-hosts/log 2>/dev/null; true`);
    const failed = await runs.fails(run);
    expect(failed.message).toContain("note the owners of file /etc/lab-a failed");
    expect(failed.message).toContain("/var/lib/gpu-hosts (tmpfs) has 0 bytes free of");
    expect(await on("ls /etc/lab-a 2>/dev/null; true")).toBe("");
    await on("umount /var/lib/gpu-hosts");
    await runs.succeeds(run, failed);
  });

  test("apt's lock held by somebody else: waited for, with who, what, since when", async () => {
    await on(
      "systemd-run -q --unit=apt-daily-lab sh -c 'exec 9>/var/lib/dpkg/lock-frontend; exec sleep 600'",
    );
    let released = false;
    const lines = await runs.succeeds({
      ...packages("tree"),
      onLog: async ({ message }) => {
        if (!message.startsWith("waiting for apt") || released) return;
        released = true;
        await on("systemctl stop apt-daily-lab");
      },
    });
    expect(lines.join("\n")).toMatch(
      /waiting for apt to be free: held by sleep 600 \(pid \d+, apt-daily-lab\.service, since [\d-]+ [\d:]+ UTC\)/,
    );
  });

  test("a package that does not exist: on which release, what is near it, how old the lists are", async () => {
    const failed = await runs.fails(packages("tree", "htpo", "python3.99", "mail-transport-agent"));
    for (const line of [
      "apt-get install htpo mail-transport-agent python3.99 tree failed with exit code 100",
      "E: Unable to locate package htpo",
      "htpo: in none of the package lists of Debian GNU/Linux 12 (bookworm); near it: ",
      "python3.99: in none of the package lists of Debian GNU/Linux 12 (bookworm); near it: ",
      "mail-transport-agent: only a virtual package; name one that provides it: ",
      "package lists: refreshed ",
      `correct the stack file (base.packages, or the service's build.packages) or the machine's package sources; then ${again}`,
    ]) {
      expect(failed.message).toContain(line);
    }
    expect(failed.message).toMatch(/^ {2}htpo: .*near it: .*\bhtop\b/m);
    expect(failed.message).toMatch(/^ {2}python3\.99: .*near it: .*\bpython3\.11\b/m);
    expect(await on("command -v tree || echo absent")).toBe("absent\n");
    await runs.succeeds(packages("tree"), failed);
  });

  /** A server that answers whatever is asked on port 8080 as a model would. */
  const answering = `#!/usr/bin/perl
use IO::Socket;
my $port = IO::Socket::INET->new(Listen => 5, LocalPort => 8080, ReuseAddr => 1) or die "cannot listen on 8080: $!\\n";
while (my $client = $port->accept) {
  while (<$client>) { last if /^\\r?\\n/ }
  print $client "HTTP/1.0 200 OK\\r\\nContent-Type: application/json\\r\\n\\r\\n{\\"choices\\":[{\\"message\\":{\\"content\\":\\"hi\\"}}]}";
  close $client;
}
`;
  const service = (exec: string, more: Record<string, unknown> = {}) => ({
    type: "SystemdService",
    inputs: {
      name: "lab-model.service",
      unit: `[Unit]\nDescription=Lab\nStartLimitIntervalSec=0\n[Service]\nExecStart=${exec}\nRestart=always\nRestartSec=300ms\n[Install]\nWantedBy=multi-user.target\n`,
      ...more,
    },
  });

  test.each([
    [{ kind: "tcp", port: 8080, deadlineSeconds: 120 }],
    [{ kind: "completion", url: "http://127.0.0.1:8080", model: "lab", deadlineSeconds: 120 }],
  ])("a port already taken: by whom; an answer of theirs is no success (%o)", async (readiness) => {
    await alpha.exec("cat > /usr/local/bin/answer && chmod +x /usr/local/bin/answer", { input: answering });
    await on("systemd-run -q --unit=somebody-else /usr/local/bin/answer");
    await on("until ss -Hltn 'sport = :8080' | grep -q .; do sleep 0.1; done");
    const run = service("/usr/local/bin/answer", { readiness });
    const failed = await runs.fails(run);
    expect(failed.message).toMatch(/gave up waiting for lab-model\.service to /);
    expect(failed.message).toMatch(
      /port 8080 is taken by answer \(pid \d+, somebody-else\.service, since .* UTC\); stop that or give this service another port/,
    );
    expect(failed.message).toContain("cannot listen on 8080: Address already in use");
    expect(failed.message).toMatch(/run `up` again; more of what it said: journalctl -u lab-model\.service/);
    expect(failed.unhealthy).toBeDefined();

    await on("systemctl stop somebody-else");
    await runs.succeeds(run, failed);
  });

  test("a port already taken is told in preview: by whom, at which address, and how to get it", async () => {
    const named = "/usr/local/bin/docker-proxy";
    await on(`cat > ${named} && chmod +x ${named}`, answering);
    const run = service("/usr/local/bin/docker-proxy", { readiness: { kind: "tcp", port: 8080 } });
    const other = "or give this service another port";
    const holders: readonly (readonly [string, RegExp])[] = [
      [
        "systemd-run -q --unit=somebody-else perl /usr/local/bin/docker-proxy",
        new RegExp(
          `^alpha \\(\\S+\\), SystemdService it: port 8080 is taken by perl \\(pid \\d+, somebody-else\\.service, since .* UTC\\) at 0\\.0\\.0\\.0:8080; stop it \\(systemctl disable --now somebody-else\\.service\\), ${other}$`,
        ),
      ],
      [
        `systemd-run -q --unit=somebody-else ${named}`,
        /by docker-proxy \(.*; a container has it: `docker ps --filter publish=8080` names it/,
      ],
      [
        "systemd-run -q --unit=somebody-else --socket-property=ListenStream=[::]:8080 sleep 600",
        /by systemd for somebody-else\.socket at \S*:8080; stop it \(systemctl disable --now somebody-else\.socket\)/,
      ],
    ];
    for (const [command, warning] of holders) {
      await on(`${command}; until ss -Hltn 'sport = :8080' | grep -q .; do sleep 0.1; done`);
      expect(await runs.previewed(run)).toMatch(warning);
      await on(`systemctl stop somebody-else.socket somebody-else 2>/dev/null
        until ! ss -Hltn 'sport = :8080' | grep -q .; do sleep 0.1; done`);
    }
    expect(await runs.previewed(run)).toBe("");

    const older = { ...run, inputs: { ...run.inputs, name: "lab-older.service" } };
    await runs.meanwhile(older, async () => {
      expect(await runs.previewed(run)).toMatch(
        /\(pid \d+, lab-older\.service, .* which is of this stack \(urn:.*\): move or remove that with an `up` of its own first/,
      );
      expect(await runs.previewed(older), "its own port").toBe("");
    });
    await runs.meanwhile({ ...older, stack: "other" }, async () => {
      expect(await runs.previewed(run)).toMatch(/ which is of stack gpu-hosts\/other \(urn:.*\): change one/);
    });
  });

  test("a unit that crashes at its start: how it ended, its journal without secrets, what to do", async () => {
    const key = "sk-lab-very-secret";
    const crashing = service(`/bin/sh -c "echo starting with $$LAB_KEY; echo no such model >&2; exit 3"`, {
      environment: {
        LAB_KEY: { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", value: key },
      },
    });
    const failed = await runs.fails(crashing);
    expect(failed.message).toMatch(
      /gave up waiting for lab-model\.service to be active\n +it was restarted \d+ times/,
    );
    expect(failed.message).toContain("looked at: journalctl --unit=lab-model.service --lines=30");
    expect(failed.message).toMatch(/\]: starting with \[secret\]\n.*\]: no such model\n.*status=3/);
    expect(failed.message).toContain("journalctl -u lab-model.service on the machine");
    expect(JSON.stringify([failed.message, failed.lines])).not.toContain(key);
    await runs.succeeds(service("/bin/sleep 1000"), failed);
  });

  const weights = randomBytes(3_000_000);
  const sha256 = createHash("sha256").update(weights).digest("hex");
  const model = (hash = sha256) => {
    const revision = hub.publish("lab/model", { "w.gguf": weights });
    const source = { kind: "hub", endpoint: hub.url };
    const inputs = { name: "lab/model", revision, source, files: { "w.gguf": hash }, purge: true };
    return { type: "ModelFiles", inputs };
  };

  test("a model file whose checksum is another: both, and nothing of the file stays", async () => {
    const wrong = model("0".repeat(64));
    const failed = await runs.fails(wrong);
    expect(failed.message).toMatch(/w\.gguf: wrong content[\s\S]*wanted sha256 0{64}/);
    expect(failed.message).toContain(sha256);
    expect(failed.message).toContain(again);
    expect(failed.unhealthy).toBeDefined();
    expect(await on("find /var/lib/gpu-hosts/models -type f")).toBe("");
    await runs.succeeds({ ...wrong, inputs: { ...wrong.inputs, files: { "w.gguf": sha256 } } }, failed);
  });

  test("a model file that was cut short: seen by a refresh, repaired by the next up; on its way, fetched on", async () => {
    const run = model();
    hub.fail({ file: "w.gguf", kind: "cut", times: 1 });
    const path = `/var/lib/gpu-hosts/models/lab/model/${run.inputs.revision}/w.gguf`;
    const { lines, seen, repaired } = await runs.damaged(run, () => on(`truncate -s 1000000 ${path}`));
    expect(lines.join("\n")).toMatch(/w\.gguf: .*transfer closed.*; trying again/);
    expect(JSON.stringify(seen)).toContain("was changed after it was verified (1000000 bytes)");
    expect(repaired).toEqual([String.raw`findings["files[\"w.gguf\"]"]`]);
    expect(hub.requests.at(-1)?.range).toBe("bytes=1000000-");
  });

  test("an item of another stack: whose it is and the ways out, in preview already", async () => {
    const mine = { type: "Files", inputs: { files: { "/etc/lab-a": { content: "mine\n" } } } };
    const theirs = { ...mine, stack: "other" };
    await runs.meanwhile(theirs, async () => {
      const failed = await runs.fails(mine);
      expect(failed.message).toMatch(
        /file \/etc\/lab-a belongs to stack gpu-hosts\/other \(urn:pulumi:other::gpu-hosts::gpuhost:index:Files::it\)/,
      );
      expect(failed.message).toContain("take it out of one of them and run `up` there first");
      expect(failed.message).toContain("write `takeOver: [gpu-hosts/other]` for the machine");
      expect(failed.unhealthy).toBeUndefined();
      await expect(runs.previewed(mine)).rejects.toThrow("belongs to stack gpu-hosts/other");
    });
    await runs.succeeds(mine);
  });
});
