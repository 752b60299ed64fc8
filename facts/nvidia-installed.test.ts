import { expect, test } from "vitest";
import { nvidiaInstalled } from "./nvidia-installed.ts";

const read = (stdout: string) => nvidiaInstalled.parse({ exitCode: 0, stdout, stderr: "" });

// Our own words, for want of such machines.
test("a driver of packages", () => {
  expect(read("kernel=6.1.0-40-amd64\nlibrary=580.95.05\nend\n")).toMatchObject({
    library: "580.95.05",
    runfile: false,
    wsl: false,
  });
});

test("an installer's driver, and a distribution in WSL, whose library names no version", () => {
  expect(read("kernel=6.8.0-45-generic\nlibrary=550.163.01\nrunfile=yes\nend\n")).toMatchObject({
    library: "550.163.01",
    runfile: true,
  });
  expect(
    read(
      "kernel=6.6.87.2-microsoft-standard-WSL2\nlibrary=/usr/lib/wsl/lib/libnvidia-ml.so.1\nwsl=yes\nend\n",
    ),
  ).toMatchObject({
    library: undefined,
    wsl: true,
  });
});
