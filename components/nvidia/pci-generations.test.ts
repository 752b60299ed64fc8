import { expect, test } from "vitest";
import { generationOf } from "./pci-generations.ts";

// Ids and names of chips as in pci.ids, and for Blackwell as users' lspci printed them.
test.each([
  ["10de:118a", "Kepler", "3.0"],
  ["10de:1381", "Maxwell", "5.0"],
  ["10de:17c8", "Maxwell", "5.2"],
  ["10de:15f8", "Pascal", "6.0"],
  ["10de:1b80", "Pascal", "6.1"],
  ["10de:1db4", "Volta", "7.0"],
  ["10de:1eb8", "Turing", "7.5"],
  ["10de:2182", "Turing", "7.5"],
  ["10de:20b5", "Ampere", "8.0"],
  ["10de:2204", "Ampere", "8.6"],
  ["10de:2330", "Hopper", "9.0"],
  ["10de:2684", "Ada", "8.9"],
  ["10de:2901", "Blackwell", "10.0"],
  ["10de:2b85", "Blackwell", "12.0"],
])("%s is %s", (id, name, computeCapability) => {
  expect(generationOf(id)).toMatchObject({ name, computeCapability });
});

test("an id in no known range has no generation", () => {
  expect(generationOf("10de:ffff")).toBeUndefined();
});
