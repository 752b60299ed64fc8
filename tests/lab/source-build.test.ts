import { afterAll, beforeAll, expect, test } from "vitest";
import { pathText } from "#inventory/problems.ts";
import type { Config } from "#provider/contract/resource.ts";
import { aptPackages } from "#provider/resources/apt-packages/apt-packages.ts";
import { buildFolder } from "#provider/resources/source-build/places.ts";
import { sourceBuild } from "#provider/resources/source-build/source-build.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Life, startLife } from "#tests/support/life.ts";

/**
 * A project of two programs that say what they were configured with, in one story: each test goes on where
 * the last ended.
 */
const project = `set -e; mkdir -p /src/one; cd /src/one
cat > CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.14)
project(words C)
set(WORD none CACHE STRING "")
add_executable(say say.c)
target_compile_definitions(say PRIVATE WORD="\${WORD}")
add_executable(other say.c)
target_compile_definitions(other PRIVATE WORD="other")
END
printf '#include <stdio.h>\\nint main(void) { puts(WORD); return 0; }\\n' > say.c`;

describeLab("SourceBuild", () => {
  let life: Life;
  const on = (command: string) => life.host.exec(command);
  const want = { name: "words", source: "/src/one", targets: ["say"], cmake: ["-DWORD=hello world"] };
  const wanted = (more: Config = {}) => ({ ...want, ...more });
  const program = (build: typeof want) => `${buildFolder(build)}/bin/say`;
  const up = (to: Config, last?: Config) => life.up(sourceBuild, to, last);
  const drift = async (to: Config) =>
    (await life.plan(sourceBuild, to, to)).changes
      .map(({ path, text, have }) => `${pathText(path)}: ${text ?? have}`)
      .sort();

  beforeAll(async () => {
    life = await startLife("bookworm");
    await life.up(aptPackages, {
      packages: { cmake: "any", gcc: "any", "libc6-dev": "any", "ninja-build": "any" },
    });
    await on(project);
  });
  afterAll(async () => {
    await life?.stop();
  });

  test("bare → built → clean → changed by hand → seen → repaired", async () => {
    await up(want);
    expect(await on(program(want))).toBe("hello world\n");
    expect(await on(`cd ${buildFolder(want)}; find . -type f | sort; stat -c '%a %U' bin/say`)).toBe(
      "./SHA256SUMS\n./bin/say\n755 root\n",
    );
    expect(await on("find /var/lib/gpu-hosts/builds/.tree -mindepth 2")).toBe("");
    expect((await up(want, want)).steps).toEqual([]);

    await on(`printf '#!/bin/sh\\necho hijacked\\n' > ${program(want)}; touch ${buildFolder(want)}/notes`);
    expect(await drift(want)).toEqual([
      "content.notes: was put there by hand",
      'content["bin/say"]: was changed after it was built',
    ]);
    await up(want, want);
    expect(await on(program(want))).toBe("hello world\n");
    expect(await drift(want)).toEqual([]);
  });

  test("a touched program that still is what was built is not built again", async () => {
    await on(`touch ${program(want)}; chmod 0700 ${program(want)}; mv /src/one /src/away`);
    expect(await drift(want)).toHaveLength(1);
    await up(want, want);
    expect(await drift(want)).toEqual([]);
    expect(await on(`stat -c %a ${program(want)}; mv /src/away /src/one`)).toBe("755\n");
  });

  test("a source that does not compile fails with the compiler's words, and the old build stays", async () => {
    await on("cp -r /src/one /src/broken; echo 'int main(void) { return nonsense; }' > /src/broken/say.c");
    await expect(up(wanted({ source: "/src/broken" }))).rejects.toThrow(/nonsense.*undeclared/);
    expect(await on(program(want))).toBe("hello world\n");
  });

  test("a target without a program, and a folder without a project, say so", async () => {
    await expect(up(wanted({ targets: ["all"] }))).rejects.toThrow(/no program of that name came of it/);
    await expect(up(wanted({ source: "/src/none" }))).rejects.toThrow(/\/src\/none holds no CMakeLists/);
  });

  test("other flags are built beside the old build, which stays until the next; the last one takes all along", async () => {
    const [two, three] = ["-DWORD=two", "-DWORD=three"].map((flag) => wanted({ cmake: [flag] })) as [
      typeof want,
      typeof want,
    ];
    const generations = () => on("ls /var/lib/gpu-hosts/builds/words");
    const names = (...builds: (typeof want)[]) =>
      `${builds
        .map((build) => buildFolder(build).split("/").at(-1))
        .sort()
        .join("\n")}\n`;
    await up(two);
    expect(await on(`${program(want)}; ${program(two)}`)).toBe("hello world\ntwo\n");
    await life.down(sourceBuild, want);
    expect(await generations()).toBe(names(want, two));

    await up(three);
    await life.down(sourceBuild, two);
    expect(await generations()).toBe(names(two, three));
    await life.down(sourceBuild, three);
    expect(await on("find /var/lib/gpu-hosts/builds 2>/dev/null || true")).toBe("");
  });
});
