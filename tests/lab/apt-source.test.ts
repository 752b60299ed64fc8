import { afterAll, beforeAll, expect, test } from "vitest";
import { type AptRepository, startAptRepository } from "#lab/apt-repository.ts";
import type { ExecOptions } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { aptSource } from "#provider/resources/apt-source/apt-source.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Bench, benchOn } from "#tests/support/lab-bench.ts";

describeLab("AptSource", () => {
  let lab: Lab;
  let bench: Bench;
  let repository: AptRepository;
  const on = (command: string, options?: ExecOptions) => lab.host("alpha").exec(command, options);
  const offered = () => on("apt-cache madison lab-tool | cut -d'|' -f2 | tr -d ' '; true");
  const files =
    "/etc/apt/sources.list.d/vendor.sources /etc/apt/keyrings/vendor.asc /etc/apt/preferences.d/vendor";

  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    repository = await startAptRepository(lab.gateway);
    await repository.publish([{ name: "lab-tool", version: "1.0" }]);
    bench = await benchOn(lab.host("alpha"));
  });

  afterAll(async () => {
    await bench?.close();
    await repository?.close();
    await lab?.stop();
  });

  test("bare → made → clean → changed by hand → seen → repaired → preference dropped → removed", async () => {
    const life = bench.live(aptSource);
    const wants = () => ({ name: "vendor", uris: [repository.url], suites: ["/"], key: repository.key });
    const pin = { priority: 600 };
    await life.up({ ...wants(), pin });
    expect(await offered()).toBe("1.0\n");
    expect(await on("apt-cache policy lab-tool")).toContain("1.0 600");
    expect(await life.up({ ...wants(), pin })).toEqual([]);

    await on(
      "cd /etc/apt; sed -i s,Suites:.*,Suites:\\ other/, sources.list.d/vendor.sources; echo >> keyrings/vendor.asc; rm preferences.d/vendor",
    );
    expect(await life.drift()).toEqual(["suites", "key", "pin"]);
    await on("echo '# mine' >> /etc/apt/sources.list.d/vendor.sources");
    expect(await life.drift()).toContain("sources");
    await life.up({ ...wants(), pin });
    expect(await life.drift()).toEqual([]);

    expect(await life.up(wants())).toEqual(["delete /etc/apt/preferences.d/vendor"]);
    await life.destroy();
    expect(await on(`ls -d ${files} /run/gpu-hosts-apt/vendor 2>/dev/null; true`)).toBe("");
  });

  test("a key given as binary works, and one that is rotated is taken up", async () => {
    const life = bench.live(aptSource);
    const base64 = (armored: string) => armored.split("\n\n")[1]?.split("\n=")[0] ?? "";
    const wants = () => ({
      name: "vendor",
      uris: [repository.url],
      suites: ["/"],
      key: base64(repository.key),
    });
    await life.up(wants());
    await repository.rotateKey();
    await repository.publish([{ name: "lab-tool", version: "2.0" }]);
    await life.up(wants());
    expect(await offered()).toBe("2.0\n");
    await life.destroy();
  });

  test("what does not work is refused and leaves apt as it was", async () => {
    const life = bench.live(aptSource);
    const wants = { name: "vendor", uris: [repository.url], suites: ["/"], key: repository.key };
    await repository.rotateKey();
    await expect(life.up({ ...wants, key: repository.key })).rejects.toThrow(/NO_PUBKEY|Missing key/);
    await expect(life.up({ ...wants, suites: ["nowhere/"] })).rejects.toThrow(/nowhere/);
    expect(await on(`ls -d ${files} 2>/dev/null; true`)).toBe("");

    await on("cat > /etc/apt/keyrings/own.asc", { input: wants.key });
    const own = `deb [signed-by=/etc/apt/keyrings/own.asc] ${repository.url} /\n`;
    await on("cat > /etc/apt/sources.list.d/own.list", { input: own });
    await expect(life.up(wants)).rejects.toThrow(/Signed-By.*own\.asc/);
    await on("rm /etc/apt/sources.list.d/own.list; apt-get indextargets >/dev/null");
    await life.destroy();
  });

  test("files that stood there come back", async () => {
    const mine = `# mine\nTypes: deb\nURIs: ${repository.url}\nSuites: /\nTrusted: yes\n`;
    await on("cat > /etc/apt/sources.list.d/vendor.sources", { input: mine });
    await repository.publish([{ name: "lab-tool", version: "3.0" }]);
    const life = bench.live(aptSource);
    const wants = { name: "vendor", uris: [repository.url], suites: ["/"], key: repository.key };
    expect(await life.adopts(wants)).toEqual(["apt source vendor"]);
    await life.up(wants);
    await life.destroy();
    expect(await on("cat /etc/apt/sources.list.d/vendor.sources; ls /etc/apt/keyrings")).toBe(
      `${mine}own.asc\n`,
    );
  });
});
