import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";

// node components/vllm/locks/make-main.ts VERSION PYTHON...: writes the locks of a vLLM release for its CUDA 13
// wheels, one for each Python, with the `uv` of this machine and the index that it is set up for. Only files that
// such a machine can install are in them: wheels for x86_64 with glibc 2.34 or newer.
const [version = "", ...pythons] = process.argv.slice(2);

for (const python of pythons) {
  const args = [
    "pip",
    "compile",
    "-",
    "--quiet",
    "--no-header",
    "--only-binary=:all:",
    "--format=pylock.toml",
  ];
  const platform = ["--python-version", python, "--python-platform", "x86_64-manylinux_2_34"];
  const text = execFileSync("uv", [...args, ...platform], { input: `vllm==${version}\n`, encoding: "utf8" });
  const packages = text
    .split("[[packages]]\n")
    .slice(1)
    .map((part) => {
      const [, name] = /^name = "(.*)"$/m.exec(part) ?? [];
      const [, exact] = /^version = "(.*)"$/m.exec(part) ?? [];
      const hashes = [...part.matchAll(/sha256 = "([0-9a-f]{64})"/g)].map(([, hash]) => hash);
      if (!name || !exact || hashes.length === 0) throw new Error(`uv names no wheel in:\n${part}`);
      return `${name}==${exact}${hashes.map((hash) => ` \\\n    --hash=sha256:${hash}`).join("")}\n`;
    });
  const file = `vllm-${version}-cu130-python${python}.txt`;
  writeFileSync(new URL(file, import.meta.url), packages.join(""));
  process.stdout.write(`${file}: ${packages.length} packages\n`);
}
