import { afterAll, beforeAll, expect, test } from "vitest";
import { pathText } from "#inventory/problems.ts";
import { type Pypi, startPypi } from "#lab/pypi.ts";
import type { Config } from "#provider/contract/resource.ts";
import { aptPackages } from "#provider/resources/apt-packages/apt-packages.ts";
import { download } from "#provider/resources/download/download.ts";
import { downloadFile } from "#provider/resources/download/places.ts";
import { venvFolder } from "#provider/resources/python-venv/places.ts";
import { pythonVenv } from "#provider/resources/python-venv/python-venv.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Life, startLife } from "#tests/support/life.ts";
import { locked, packWheel, uvWheel, type Wheel } from "#tests/support/wheels.ts";

/** Two small packages made by the real uv, in one story: each test goes on where the last ended. */

const greeter = (version: string, words: string) =>
  packWheel(
    "greeter",
    version,
    { "greeter.py": `import numberer\ndef main(): print("${words}", numberer.number)\n` },
    { greet: "greeter:main" },
  );

describeLab("PythonVenv", () => {
  let life: Life;
  let pypi: Pypi;
  let wheels: Record<"one" | "two" | "number", Wheel>;
  let base: { name: string; uv: string; python: string; indexes: string[]; builds: string };
  const on = (command: string) => life.host.exec(command);
  const wanted = (...packages: Wheel[]) => ({ ...base, lock: packages.map(locked).join("") });
  const one = () => wanted(wheels.one, wheels.number);
  const two = () => wanted(wheels.two, wheels.number);
  const greet = (want: ReturnType<typeof wanted>) => on(`${venvFolder(want)}/bin/greet`);
  const up = (to: Config, last?: Config) => life.up(pythonVenv, to, last);
  const drift = async (to: Config) =>
    (await life.plan(pythonVenv, to, to)).changes
      .map(({ path, text, have }) => `${pathText(path)}: ${text ?? have}`)
      .sort();

  beforeAll(async () => {
    life = await startLife("bookworm");
    pypi = await startPypi(life.lab.gateway);
    wheels = {
      one: await greeter("1.0", "hello"),
      two: await greeter("2.0", "good day"),
      number: await packWheel("numberer", "7", { "numberer.py": "number = 7\n" }),
    };
    for (const { file, content } of Object.values(wheels)) pypi.publish(file, content);
    const uv = await uvWheel();
    pypi.publish(uv.file, uv.content, `/packages/${uv.file}`);
    const fetched = { name: "uv", url: `${pypi.files}/packages/${uv.file}`, sha256: uv.sha256 };
    await life.up(aptPackages, { packages: { curl: "any", python3: "any" } });
    await life.up(download, fetched);
    base = {
      name: "greeter",
      uv: downloadFile(fetched),
      python: "3.11",
      indexes: [pypi.index],
      builds: `${pypi.files}/builds`,
    };
  });
  afterAll(async () => {
    await pypi?.close();
    await life?.stop();
  });

  test("bare → installed → clean", async () => {
    await up(one());
    expect(await greet(one())).toBe("hello 7\n");
    expect(await on(`ls -A /var/lib/gpu-hosts/venvs/.staging/greeter`)).toBe("");
    expect((await up(one(), one())).steps).toEqual([]);
    const seen = await life.observe(pythonVenv, one(), one());
    expect(seen?.status).toMatchObject({ placed: true, python: "3.11.2" });
  });

  test("changed, removed and added by hand → seen → repaired while the index is down", async () => {
    const site = `${venvFolder(one())}/lib/python3.11/site-packages`;
    await on(`printf 'number = 8\\n' > ${site}/numberer.py; rm ${site}/greeter.py; touch ${site}/extra.pth`);
    expect(await drift(one())).toEqual([
      'content["lib/python3.11/site-packages/extra.pth"]: was put there by hand',
      'content["lib/python3.11/site-packages/greeter.py"]: is missing',
      'content["lib/python3.11/site-packages/numberer.py"]: was changed after it was installed',
      // The folder's own line holds no time, so it is not among them.
    ]);
    pypi.setDown(true);
    await up(one(), one());
    pypi.setDown(false);
    expect(await greet(one())).toBe("hello 7\n");
    expect(await drift(one())).toEqual([]);
  });

  test("a wheel whose hash is another is refused with both, and the old environment stays", async () => {
    const wrong = { ...wheels.two, sha256: "0123456789abcdef".repeat(4) };
    await expect(up(wanted(wrong, wheels.number))).rejects.toThrow(
      new RegExp(`[Hh]ash mismatch[\\s\\S]*${wheels.two.sha256}`),
    );
    expect(await greet(one())).toBe("hello 7\n");
  });

  test("a Python that neither the system has nor a server gives is named, with what is there", async () => {
    await expect(up({ ...one(), python: "3.13" })).rejects.toThrow(
      /no Python that fits 3\.13: this system has Python 3\.11\.2, and none could be fetched from http:\S+\/builds/,
    );
  });

  test("another lock is installed beside the old one, which stays until the next; the last takes all along", async () => {
    await up(two());
    expect(await greet(two())).toBe("good day 7\n");
    expect(await greet(one())).toBe("hello 7\n");
    await life.down(pythonVenv, one());
    expect(await greet(one())).toBe("hello 7\n");
    await life.down(pythonVenv, two());
    expect(await on("find /var/lib/gpu-hosts/venvs 2>/dev/null || true")).toBe("");
  });
});
