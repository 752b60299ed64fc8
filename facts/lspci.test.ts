import { expect, test } from "vitest";
import { nvidiaCards, nvidiaSwitches } from "./lspci.ts";

const read = (stdout: string) => nvidiaCards.parse({ exitCode: 0, stdout, stderr: "" });

// Not recorded, for want of such a machine: the form of `lspci -nn`, and of our own words where there is no
// lspci.
test("graphics cards, without their sound functions, bridges and switches", () => {
  const stdout = [
    "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation AD102 [GeForce RTX 4090] [10de:2684] (rev a1)",
    "01:00.1 Audio device [0403]: NVIDIA Corporation AD102 High Definition Audio Controller [10de:22ba] (rev a1)",
    "41:00.0 3D controller [0302]: NVIDIA Corporation GH100 [H200 SXM 141GB] [10de:2335] (rev a1)",
    "05:00.0 Bridge [0680]: NVIDIA Corporation GH100 [H100 NVSwitch] [10de:22a3] (rev a1)",
    "",
  ].join("\n");
  expect(read(stdout)).toEqual([
    { model: "NVIDIA Corporation AD102 [GeForce RTX 4090]", id: "10de:2684" },
    { model: "NVIDIA Corporation GH100 [H200 SXM 141GB]", id: "10de:2335" },
  ]);
  expect(nvidiaSwitches.parse({ exitCode: 0, stdout, stderr: "" })).toBe(1);
});

test("a list without names, and no card", () => {
  expect(read("0000:01:00.0 [0302]: [10de:2335]\n0000:01:00.1 [0403]: [10de:22ba]\n")).toEqual([
    { model: "NVIDIA card 10de:2335", id: "10de:2335" },
  ]);
  expect(read("")).toEqual([]);
});

test("a card that is newer than the list of names is called by its id", () => {
  // Not recorded: the form that pci.ids without the device leads to, as pciutils' lspci.c has it.
  expect(
    read(
      "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation Device [10de:2b85] (rev a1)\n" +
        "0000:02:00.0 3D controller [0302]: Device [10de:2b85]\n" +
        "03:00.0 VGA compatible controller [0300]: NVIDIA Corporation Device [10de:2b85] (rev a1) (prog-if 00 [VGA controller])\n",
    ),
  ).toEqual(Array(3).fill({ model: "NVIDIA card 10de:2b85", id: "10de:2b85" }));
});
