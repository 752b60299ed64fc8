import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDir } from "#lab/base.ts";
import { local } from "#lab/local.ts";

/**
 * A Python package whose source distribution holds the whole source of llama.cpp; Debian's lacks ggml, and is
 * not on every mirror.
 */
const carrier = "llama-cpp-python==0.3.36";

/**
 * The source of llama.cpp as an archive with one folder on top, as the project's own. Fetched once through
 * pip, which is asked for the package as it asks its index for any, and kept beside the base images.
 */
export async function llamacppSource(tag: string): Promise<Buffer> {
  const kept = join(cacheDir, `${carrier.replace("==", "-")}.tar.gz`);
  if (!existsSync(kept)) await fetchCarrier(kept);
  const dir = await mkdtemp(join(tmpdir(), "llamacpp-source-"));
  try {
    const inside = "*/vendor/llama.cpp/*";
    await local("tar", ["-xzf", kept, "-C", dir, "--strip-components=2", "--wildcards", inside]);
    await rename(join(dir, "llama.cpp"), join(dir, `llama.cpp-${tag}`));
    await local("tar", ["-czf", join(dir, "source.tar.gz"), "-C", dir, `llama.cpp-${tag}`]);
    return await readFile(join(dir, "source.tar.gz"));
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function fetchCarrier(kept: string): Promise<void> {
  await mkdir(cacheDir, { recursive: true });
  const dir = await mkdtemp(`${kept}.`);
  try {
    const what = ["--no-deps", "--no-binary=:all:", "--dest", dir, carrier];
    await local("python3", ["-m", "pip", "download", "--quiet", ...what], { timeoutSeconds: 900 });
    const [name] = await readdir(dir);
    await rename(join(dir, name ?? ""), kept);
  } finally {
    await rm(dir, { recursive: true });
  }
}
