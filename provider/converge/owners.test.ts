import { expect, test } from "vitest";
import type { OwnerRecord } from "#provider/ground/owner-record.ts";
import {
  claimantOf,
  claims,
  conflictingOwner,
  isOnlyOwner,
  namesakes,
  releases,
  strangeOwner,
} from "./owners.ts";

const me = claimantOf(
  "urn:pulumi:prod::gpu-hosts::gpu-hosts:index:LinuxHost$gpuhost:index:Files::rack1-base",
);
const sibling = { stack: me.stack, urn: `${me.urn}-other` };
const stranger = { stack: "gpu-hosts/lab", urn: "urn:pulumi:lab::gpu-hosts::gpuhost:index:Files::x" };
const item = { name: "file /etc/x", path: ["files", "/etc/x"] };
const record = (...owners: OwnerRecord["owners"]) =>
  new Map([[item.name, { item: item.name, owners, before: "old" }]]);

test("a claimant is known by project and stack", () => {
  expect(me.stack).toBe("gpu-hosts/prod");
});

test("the first claim remembers what was there, later ones do not overwrite it", () => {
  expect(claims([item], new Map(), me, () => "found")).toEqual([
    { item: item.name, owners: [me], before: "found" },
  ]);
  expect(claims([item], record(sibling), me, () => "found")).toEqual([
    { item: item.name, owners: [sibling, me], before: "old" },
  ]);
  expect(claims([item], record(me), me, () => "found")).toEqual([]);
});

test("an item of another stack is refused unless it may be shared", () => {
  expect(conflictingOwner(item, record(stranger), me)).toEqual(stranger);
  expect(conflictingOwner({ ...item, shared: true }, record(stranger), me)).toBeUndefined();
  expect(conflictingOwner(item, record(sibling), me)).toBeUndefined();
});

test("only the last owner undoes an item, and nobody one without a record", () => {
  expect(isOnlyOwner(item, record(me), me)).toBe(true);
  expect(isOnlyOwner(item, record(me, sibling), me)).toBe(false);
  expect(isOnlyOwner(item, new Map(), me)).toBe(false);
});

test("a release leaves the other owners", () => {
  expect(releases([item], record(me, sibling), me).map((r) => r.owners)).toEqual([[sibling]]);
});

test("a renamed stack is still the owner, and its records get the new name", () => {
  const old = claimantOf(me.urn.replace(":prod::", ":old::"));
  const renamed = { ...me, formerly: old };
  expect(conflictingOwner(item, record(old), me)).toEqual(old);
  expect(conflictingOwner(item, record(old), renamed)).toBeUndefined();
  expect(isOnlyOwner(item, record(old), renamed)).toBe(true);
  expect(claims([item], record(old, sibling), renamed, () => "found")).toEqual([
    { item: item.name, owners: [sibling, me], before: "old" },
  ]);
  expect(releases([item], record(old, stranger), renamed).map((r) => r.owners)).toEqual([[stranger]]);
});

test("a stack that is no more leaves its items to the one that takes over, with what was there before", () => {
  const heir = { ...me, inherits: [stranger.stack] };
  expect(conflictingOwner(item, record(stranger), heir)).toBeUndefined();
  expect(claims([item], record(stranger), heir, () => "found")).toEqual([
    { item: item.name, owners: [me], before: "old" },
  ]);
});

test("who else claimed under our very name is told, ourselves and unknown ones not", () => {
  const by = (who?: string) => ({ ...me, by: who });
  expect(namesakes([item], record(by("ann@laptop")), by("bob@desk"))).toEqual(["ann@laptop"]);
  expect(namesakes([item], record(by("bob@desk")), by("bob@desk"))).toEqual([]);
  expect(namesakes([item], record(by()), by("bob@desk"))).toEqual([]);
});

test("an item that the machine has as others' alone is told before it would be left behind", () => {
  expect(strangeOwner(item, record(stranger), me)).toEqual(stranger);
  expect(strangeOwner({ ...item, shared: true }, record(stranger), me)).toBeUndefined();
  expect(strangeOwner(item, record(sibling), me)).toBeUndefined();
  expect(strangeOwner(item, new Map(), me)).toBeUndefined();
});
