import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { nvidiaPackages } from "./nvidia-packages.ts";

// Recorded from apt 2.6 (Debian 12) on the stand-in of NVIDIA's repository, with a branch pinned.
const stdout = readFileSync(new URL("fixtures/nvidia-policy.debian12.txt", import.meta.url), "utf8");
const read = (text: string, repository = "http://192.0.2.1:8080") =>
  nvidiaPackages([], repository).parse({ exitCode: 0, stdout: text, stderr: "" });

test("what is installed, what would be, and which versions the repository has", () => {
  const found = read(stdout);
  expect(found.get("nvidia-driver-cuda")).toEqual({
    installed: "580.95.05-1",
    candidate: "580.105.08-1",
    fromRepository: ["590.48.01-1", "580.105.08-1", "580.95.05-1"],
  });
  expect(found.get("nvidia-dkms-open")).toBeUndefined();
});

test("of another repository nothing is from the one that was asked about", () => {
  expect(read(stdout, "https://other.example").get("nvidia-driver-cuda")?.fromRepository).toEqual([]);
});

test("a table that breaks off is no answer", () => {
  expect(() => read(stdout.replace(/end\n$/, ""))).toThrow("did not come to its end");
});
