import { expect, test } from "vitest";
import { missingAccounts } from "./accounts.ts";

const read = (stdout: string) =>
  missingAccounts({ users: [], groups: [], members: [] }).parse({ exitCode: 0, stdout, stderr: "" });

test("who is not there is told once, not for each of its groups", () => {
  expect(read("user\tgpu-hosts\ngroup\tgpu-hosts\nmember\tgpu-hosts\tvideo\nmember\tops\trender\n")).toEqual([
    "there is no user gpu-hosts",
    "there is no group gpu-hosts",
    "user ops is not in the group render",
  ]);
  expect(read("")).toEqual([]);
  expect(() => read("noise\n")).toThrow("not the line of an account: noise");
});
