import { afterAll, beforeAll, expect, test } from "vitest";
import { type Lab, startLab } from "#lab/lab.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Engine, startEngine, urnOf } from "#tests/support/engine.ts";

let lab: Lab;
let engine: Engine;
const urn = urnOf("Files", "base");
const on = (command: string) => lab.host("alpha").exec(command);
const wanted = (files: Record<string, unknown>) => ({ host: "alpha", files });

function config() {
  const { address, hostKey, identityFile } = lab.host("alpha");
  return { hosts: JSON.stringify({ alpha: { platform: "linux", address, hostKey, identityFile } }) };
}

async function checked(news: Record<string, unknown>) {
  const { inputs, failures } = await engine.check(urn, news);
  expect(failures).toEqual([]);
  return inputs;
}

describeLab("files on a host", () => {
  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    engine = await startEngine(config());
  });

  afterAll(async () => {
    await engine?.stop();
    await lab?.stop();
  });

  test("bare → made → clean → changed by hand → seen → repaired → item dropped → removed", async () => {
    await on("echo before > /etc/motd; chmod 0600 /etc/motd");
    const inputs = await checked(
      wanted({
        "/etc/lab": { directory: true, mode: "0750" },
        "/etc/lab/a": { content: 'it\'s $HOME\n\\0 "quoted"\n' },
        "/etc/lab/link": { symlink: "a" },
        "/etc/motd": { content: "ours\n" },
      }),
    );
    const made = await engine.create(urn, inputs);
    expect(made.id).toBe("alpha:/etc/lab");
    expect(await on("cat /etc/lab/link; stat -c %a:%U /etc/lab /etc/lab/a; cat /etc/motd")).toBe(
      'it\'s $HOME\n\\0 "quoted"\n750:root\n644:root\nours\n',
    );

    const read = await engine.read(urn, made);
    expect(read.inputs).toEqual(inputs);
    expect((await engine.diff(urn, read, inputs)).keys).toEqual([]);

    await on("echo edited > /etc/lab/a; chmod 0700 /etc/lab; rm /etc/motd");
    const drifted = await engine.read(urn, made);
    expect((await engine.diff(urn, drifted, inputs)).keys.sort()).toEqual([
      'files["/etc/lab"].mode',
      'files["/etc/lab/a"].content',
      'files["/etc/motd"]',
    ]);
    expect(drifted.properties.applied).toEqual(made.properties.applied);

    const repaired = await engine.update(urn, drifted, inputs);
    expect((await engine.read(urn, repaired)).inputs).toEqual(inputs);

    const fewer = await checked(
      wanted({ "/etc/lab": { directory: true, mode: "0750" }, "/etc/lab/a": { content: "x" } }),
    );
    const dropped = await engine.update(urn, repaired, fewer);
    expect(await on("ls /etc/lab; stat -c %a /etc/motd; cat /etc/motd")).toBe("a\n600\nbefore\n");

    await engine.delete(urn, dropped);
    expect(
      await on("ls -d /etc/lab 2>&1 | grep -c 'No such'; find /var/lib/gpu-hosts 2>/dev/null || true"),
    ).toBe("1\n");
  });

  test("a user and groups that a file of ours makes are seen when they are gone, and made again", async () => {
    const at = "/etc/sysusers.d/lab.conf";
    const content = '# ours\ng lab-gpus - -\nu lab-serves - "lab" /var/lib/lab\nm lab-serves lab-gpus\n';
    const inputs = await checked(wanted({ "/etc/sysusers.d": { directory: true }, [at]: { content } }));
    const made = await engine.create(urn, inputs);
    const look = async () => {
      const seen = await engine.read(urn, made);
      return { seen, keys: (await engine.diff(urn, seen, inputs)).keys };
    };
    expect((await look()).keys).toEqual([]);
    for (const command of [
      "userdel lab-serves",
      "gpasswd -d lab-serves lab-gpus",
      "userdel lab-serves; groupdel lab-gpus",
    ]) {
      await on(command);
      const { seen, keys } = await look();
      expect({ command, keys }).toEqual({ command, keys: [`findings["files[\\"${at}\\"].content"]`] });
      await engine.update(urn, seen, inputs);
      expect(await on("id -nG lab-serves")).toBe("lab-serves lab-gpus\n");
      expect((await look()).keys).toEqual([]);
    }
    await engine.delete(urn, made);
  });

  test("what the host exports to each login changes nothing", async () => {
    const hostile = { POSIXLY_CORRECT: "1", TAR_OPTIONS: "--bogus", GREP_OPTIONS: "-v", CDPATH: "/usr" };
    const lines = Object.entries(hostile).map(([name, value]) => `${name}=${value}`);
    await on(`printf '%s\n' ${lines.join(" ")} >> /etc/environment`);
    await on(`{ printf 'export %s\n' ${lines.join(" ")}; cat /root/.bashrc; } > /b; mv /b /root/.bashrc`);
    // The environment is that of the login, and the one before it has the lock.
    await engine.stop();
    engine = await startEngine(config());
    const inputs = await checked(
      wanted({
        "/etc/lab": { directory: true, mode: "0750", owner: "daemon:daemon" },
        "/etc/lab/a": { content: "a", owner: "daemon:daemon" },
        "/etc/lab/link": { symlink: "a" },
      }),
    );
    const made = await engine.create(urn, inputs);
    expect(await on("stat -c '%a %U %n' /etc/lab /etc/lab/a; cat /etc/lab/link")).toBe(
      "750 daemon /etc/lab\n644 daemon /etc/lab/a\na",
    );
    expect((await engine.read(urn, made)).inputs).toEqual(inputs);
    await engine.delete(urn, made);
    expect(await on("ls /etc | grep -cx lab || true")).toBe("0\n");
  });
});
