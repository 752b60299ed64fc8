import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { uv } from "#components/vllm/uv.ts";
import { cacheDir } from "#lab/base.ts";
import { local } from "#lab/local.ts";
import type { Pypi } from "#lab/pypi.ts";

/** A wheel, as an index serves it. */
export interface Wheel {
  readonly file: string;
  readonly content: Buffer;
  readonly sha256: string;
}

const digest = (algorithm: string, content: string, encoding: "base64url" | "hex") =>
  createHash(algorithm).update(content).digest(encoding);

/**
 * Packs a pure Python package as a wheel.
 * @param modules text by path: `stub/__init__.py`
 * @param scripts programs by name: `module:function`
 */
export async function packWheel(
  name: string,
  version: string,
  modules: Readonly<Record<string, string>>,
  scripts: Readonly<Record<string, string>> = {},
): Promise<Wheel> {
  const info = `${name}-${version}.dist-info`;
  const entries = Object.entries(scripts).map(([program, target]) => `${program} = ${target}\n`);
  const all: Record<string, string> = {
    ...modules,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: gpu-hosts\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    ...(entries.length > 0 ? { [`${info}/entry_points.txt`]: `[console_scripts]\n${entries.join("")}` } : {}),
  };
  const lines = Object.entries(all).map(
    ([path, text]) => `${path},sha256=${digest("sha256", text, "base64url")},${Buffer.byteLength(text)}\n`,
  );
  all[`${info}/RECORD`] = `${lines.join("")}${info}/RECORD,,\n`;
  const folder = await mkdtemp(join(tmpdir(), "wheel-"));
  try {
    for (const [path, text] of Object.entries(all)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    const file = `${name}-${version}-py3-none-any.whl`;
    const tops = [...new Set(Object.keys(all).map((path) => path.split("/")[0] ?? ""))];
    const at = tops.map((top) => join(folder, top));
    await local("python3", ["-m", "zipfile", "-c", join(folder, file), ...at]);
    const content = await readFile(join(folder, file));
    return { file, content, sha256: createHash("sha256").update(content).digest("hex") };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A line of a lock. */
export const locked = ({ file, sha256 }: Wheel): string => {
  const [name, version] = file.split("-");
  return `${name}==${version} --hash=sha256:${sha256}\n`;
};

/**
 * The wheel of uv that our components pin, fetched once through pip, which is asked for it as it asks its
 * index for any package, and kept beside the base images of the lab.
 */
export async function uvWheel(): Promise<Wheel> {
  const file = basename(uv.x86_64.path);
  const kept = join(cacheDir, file);
  if (!existsSync(kept)) {
    await mkdir(cacheDir, { recursive: true });
    const folder = await mkdtemp(`${kept}.`);
    const what = ["--no-deps", "--only-binary=:all:", "--platform=manylinux_2_17_x86_64", "--dest", folder];
    await local("python3", ["-m", "pip", "download", "--quiet", ...what, `uv==${uv.version}`], {
      timeoutSeconds: 300,
    });
    await rename(join(folder, file), kept);
    await rm(folder, { recursive: true });
  }
  return { file, content: await readFile(kept), sha256: uv.x86_64.sha256 };
}

/** Puts a package and uv into an index, and returns what every-resource-main.ts needs of them. */
export async function publishFixture(pypi: Pypi): Promise<Record<string, string>> {
  const [fixture, installer] = await Promise.all([
    packWheel("fixture", "1.0", { "fixture.py": "" }),
    uvWheel(),
  ]);
  for (const { file, content } of [fixture, installer]) pypi.publish(file, content);
  return {
    "fixture:index": pypi.index,
    "fixture:lock": locked(fixture),
    "fixture:uv": `${pypi.files}/wheels/${installer.file}`,
    "fixture:uvSha256": installer.sha256,
  };
}
