import { afterAll, beforeAll, expect, test } from "vitest";
import { type AptRepository, startAptRepository } from "#lab/apt-repository.ts";
import type { ExecOptions } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { aptPackages } from "#provider/resources/apt-packages/apt-packages.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Bench, benchOn } from "#tests/support/lab-bench.ts";

describeLab("AptPackages", () => {
  let lab: Lab;
  let bench: Bench;
  let repository: AptRepository;
  const on = (command: string, options?: ExecOptions) => lab.host("alpha").exec(command, options);
  const installed = async () =>
    (await on(`dpkg -l 'lab-*' 2>/dev/null | awk '/^ii/ { print $2 "=" $3 }'`)).trim().split("\n");

  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    repository = await startAptRepository(lab.gateway);
    await repository.publish([
      { name: "lab-tool", version: "1.0", depends: "lab-lib" },
      { name: "lab-tool", version: "2.0", depends: "lab-lib" },
      { name: "lab-lib", version: "1.0" },
      { name: "lab-user", version: "1.0", depends: "lab-tool" },
      { name: "lab-either", version: "1.0", depends: "lab-tool | lab-alt" },
      { name: "lab-alt", version: "1.0" },
      { name: "lab-orphan", version: "1.0", depends: "lab-lib" },
      { name: "lab-extra", version: "1.0", depends: "lab-extra-lib" },
      { name: "lab-extra-lib", version: "1.0" },
      { name: "lab-fan", version: "1.0", recommends: "lab-extra-lib" },
      { name: "lab-late-fan", version: "1.0", recommends: "lab-extra-lib" },
      { name: "lab-rival", version: "1.0", conflicts: "lab-alt" },
      {
        name: "lab-server",
        version: "1.0",
        depends: "liblab-kernels (>= 1.0), lab-lib | lab-alt",
        files: { "/usr/bin/lab-server": "#!/bin/sh\n", "/usr/bin/lab-tried": "#!/bin/sh\n: tried\n" },
        // As the scripts of some packages do; that is no drift.
        postinst: "chmod 750 /usr/bin/lab-tried; chown root:adm /usr/bin/lab-tried",
      },
      { name: "liblab-kernels", version: "1.0", files: { "/usr/lib/liblab-kernels.so.0": "kernels\n" } },
      { name: "lab-slow", version: "1.0", postinst: "test -e /run/lab-may-configure" },
    ]);
    await on("cat > /etc/apt/keyrings/lab.asc", { input: repository.key });
    await on("cat > /etc/apt/sources.list.d/lab.sources", {
      input: `Types: deb\nURIs: ${repository.url}\nSuites: /\nSigned-By: /etc/apt/keyrings/lab.asc\n`,
    });
    bench = await benchOn(lab.host("alpha"));
  });

  afterAll(async () => {
    await bench?.close();
    await repository?.close();
    await lab?.stop();
  });

  test("bare → installed → clean → removed by hand → seen → repaired → item dropped → removed", async () => {
    const life = bench.live(aptPackages);
    await life.up({ packages: { "lab-tool": "1.0", "lab-alt": "any" } });
    expect(await installed()).toEqual(["lab-alt=1.0", "lab-lib=1.0", "lab-tool=1.0"]);
    expect(await life.up({ packages: { "lab-tool": "1.0", "lab-alt": "any" } })).toEqual([]);

    await on("apt-get remove -qq -y lab-alt; apt-get install -qq -y lab-tool=2.0");
    expect(await life.drift()).toEqual(["packages.lab-tool", "packages.lab-alt"]);
    await life.up({ packages: { "lab-tool": "1.0", "lab-alt": "any" } });
    expect(await installed()).toEqual(["lab-alt=1.0", "lab-lib=1.0", "lab-tool=1.0"]);

    await life.up({ packages: { "lab-tool": "any" } });
    expect(await installed()).toEqual(["lab-lib=1.0", "lab-tool=1.0"]);
    await life.destroy();
    expect(await installed()).toEqual([""]);
  });

  test("removal spares what was there before, what others need and orphans that are not ours", async () => {
    await on("apt-get install -qq -y lab-alt lab-orphan && apt-mark auto lab-orphan");
    const life = bench.live(aptPackages);
    await life.up({
      packages: { "lab-tool": "any", "lab-alt": "any", "lab-lib": "any", "lab-extra": "any" },
    });
    await on("apt-get install -qq -y lab-user");
    await life.up({ packages: { "lab-lib": "any", "lab-extra": "any" } });
    // lab-tool is needed by lab-user, which somebody installed since.
    expect(await installed()).toEqual([
      "lab-alt=1.0",
      "lab-extra=1.0",
      "lab-extra-lib=1.0",
      "lab-lib=1.0",
      "lab-orphan=1.0",
      "lab-tool=2.0",
      "lab-user=1.0",
    ]);
    expect(await on("apt-mark showauto lab-tool")).toBe("lab-tool\n");
    expect(life.said.join()).toContain("lab-tool stays");
    await on("apt-get remove -qq -y lab-user");
    await life.destroy();
    expect(await installed()).toEqual(["lab-alt=1.0", "lab-lib=1.0", "lab-orphan=1.0", "lab-tool=2.0"]);
    expect(await on("apt-mark showauto 'lab-*'")).toBe("lab-lib\nlab-orphan\nlab-tool\n");
    await on("apt-get remove -qq -y 'lab-*'");
  });

  test("what came along goes although a package recommends it that stood there before; one that came later keeps it", async () => {
    await on("apt-get install -qq -y --no-install-recommends lab-fan");
    const life = bench.live(aptPackages);
    await life.up({ packages: { "lab-extra": "any" } });
    await life.destroy();
    expect(await installed()).toEqual(["lab-fan=1.0"]);

    const again = bench.live(aptPackages);
    await again.up({ packages: { "lab-extra": "any" } });
    await on("apt-get install -qq -y lab-late-fan");
    await again.destroy();
    expect(await installed()).toEqual(["lab-extra-lib=1.0", "lab-fan=1.0", "lab-late-fan=1.0"]);
    await on("apt-get remove -qq -y 'lab-*'");
  });

  test("of two of ours that can stand in for each other, one stays for whom needs either", async () => {
    const life = bench.live(aptPackages);
    await life.up({ packages: { "lab-tool": "any", "lab-alt": "any" } });
    await on("apt-get install -qq -y lab-either");
    await life.destroy();
    expect((await installed()).length).toBeLessThan(4);
    expect(
      await on("apt-get check -qq 2>&1; dpkg -s lab-either | grep -c '^Status: install ok installed'"),
    ).toBe("1\n");
    await on("apt-get remove -qq -y 'lab-*'");
  });

  test("files of packages and of their libraries: changed by hand → seen → repaired → clean", async () => {
    const life = bench.live(aptPackages);
    const wants = { packages: { "lab-server": "1.0" } };
    await life.up(wants);
    expect(await life.up(wants)).toEqual([]);
    // Documentation that a minimal system lacks, owners, times and lists that are refreshed are no drift.
    await on(`chown daemon /usr/bin/lab-server; chown root /usr/bin/lab-server; touch /usr/lib/liblab-kernels.so.0
      rm -r /usr/share/lab-server; apt-get update -qq`);
    expect(await life.drift()).toEqual([]);

    const [server, kernels] = ["/usr/bin/lab-server", "/usr/lib/liblab-kernels.so.0"];
    const cases: readonly (readonly [string, string])[] = [
      [`touch -r ${server} /root/t; echo true > ${server}; touch -r /root/t ${server}`, "content"],
      [`cp -a ${server} /root/s; ln -sf /root/s ${server}`, "content"],
      [`rm ${server}`, "content"],
      [`chmod 644 ${server}`, "content"],
      [
        `dpkg-divert --local --rename --divert ${server}.real --add ${server}; echo true > ${server}`,
        "diverted",
      ],
    ];
    for (const [command, kind] of cases) {
      await on(`apt-mark hold lab-server; ${command}`);
      expect({ command, seen: await life.drift() }).toEqual({
        command,
        seen: [`${kind}.lab-server["${server}"]`],
      });
      await life.up(wants);
      expect({ command, seen: await life.drift() }).toEqual({ command, seen: [] });
      expect(await on(`stat -c '%F %a' ${server}; cat ${server}; apt-mark showhold`)).toBe(
        "regular file 755\n#!/bin/sh\nlab-server\n",
      );
    }
    await on(`echo other > ${kernels}; apt-mark unhold lab-server`);
    expect(await life.drift()).toEqual([`content.liblab-kernels["${kernels}"]`]);
    await life.up(wants);
    expect(await on(`cat ${kernels}; apt-mark showauto 'liblab*'`)).toBe("kernels\nliblab-kernels\n");
    await life.destroy();
    expect(await installed()).toEqual([""]);
  });

  test("an interrupted dpkg is finished first", async () => {
    const life = bench.live(aptPackages);
    const wants = { packages: { "lab-slow": "any" } };
    await expect(life.up(wants)).rejects.toThrow(/lab-slow/);
    expect(await life.drift()).toEqual(["packages.lab-slow"]);
    await on("touch /run/lab-may-configure");
    await life.up(wants);
    expect(await installed()).toEqual(["lab-slow=1.0"]);
    await life.destroy();
    expect(await installed()).toEqual([""]);
  });

  test("what cannot be installed is explained", async () => {
    const life = bench.live(aptPackages);
    await expect(life.up({ packages: { "lab-nosuch": "any" } })).rejects.toThrow(
      /lab-nosuch: in none of the package lists of Debian/,
    );
    await expect(life.up({ packages: { "lab-tool": "9.9" } })).rejects.toThrow(
      /lab-tool: offered are 2.0 1.0/,
    );
    await on("apt-get install -qq -y lab-alt");
    await expect(life.up({ packages: { "lab-rival": "any" } })).rejects.toThrow(/it would remove lab-alt/);
    expect(await installed()).toEqual(["lab-alt=1.0"]);
    await life.destroy();
    await on("apt-get remove -qq -y lab-alt");
  });

  test("another package manager is waited for and named", async () => {
    const life = bench.live(aptPackages);
    await on("systemd-run -q sh -c 'exec 9>/var/lib/dpkg/lock-frontend; exec sleep 5.5'");
    await life.up({ packages: { "lab-alt": "any" } });
    expect(life.said.join("\n")).toMatch(
      /waiting for apt to be free: held by sleep 5.5 \(pid \d+, run-\w+\.service, since /,
    );
    await life.destroy();
  });

  test("a new version that the lists do not know yet is found", async () => {
    await repository.publish([{ name: "lab-tool", version: "3.0" }]);
    const life = bench.live(aptPackages);
    await life.up({ packages: { "lab-tool": "3.0" } });
    expect(await installed()).toEqual(["lab-tool=3.0"]);
    await life.destroy();
  });
});
