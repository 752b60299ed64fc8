import { expect, test } from "vitest";
import { repositoryPath, repositoryUrl, toolkitPackage } from "./repository.ts";

test.each([
  ["Ubuntu 22.04.5 LTS", "x86_64", "ubuntu2204/x86_64"],
  ["Ubuntu 24.04.3 LTS", "aarch64", "ubuntu2404/sbsa"],
  ["Ubuntu 26.04 LTS", undefined, "ubuntu2604/x86_64"],
  ["Debian GNU/Linux 12 (bookworm)", "x86_64", "debian12/x86_64"],
  ["Debian GNU/Linux 13 (trixie)", "aarch64", "debian13/sbsa"],
  ["Debian GNU/Linux forky/sid", "x86_64", undefined],
  ["Debian GNU/Linux 11 (bullseye)", "x86_64", undefined],
  ["Ubuntu 25.10", "x86_64", undefined],
  ["Debian GNU/Linux 13 (trixie)", "riscv64", undefined],
  [undefined, "x86_64", undefined],
])("%s on %s is %s", (release, architecture, path) => {
  expect(repositoryPath({ release, architecture })).toBe(path);
});

test("a distribution in WSL has a repository of its own, without drivers", () => {
  expect(repositoryPath({ release: "Ubuntu 24.04.3 LTS", wsl: true })).toBe("wsl-ubuntu/x86_64");
  expect(
    repositoryPath({ release: "Ubuntu 24.04.3 LTS", architecture: "aarch64", wsl: true }),
  ).toBeUndefined();
});

test("a toolkit's package names its CUDA, and pulls no driver as `cuda` would", () => {
  expect(toolkitPackage("12.4")).toBe("cuda-toolkit-12-4");
  expect(repositoryUrl("https://mirror.example/cuda/", "debian13/x86_64")).toBe(
    "https://mirror.example/cuda/debian13/x86_64/",
  );
});
