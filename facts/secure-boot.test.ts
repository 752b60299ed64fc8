import { expect, test } from "vitest";
import { secureBoot } from "./secure-boot.ts";

const read = (stdout: string) => secureBoot.parse({ exitCode: 0, stdout, stderr: "" });

// Not recorded, for want of such machines: mokutil's own words (src/mokutil.c).
test.each([
  ["SecureBoot enabled\nend\n", { on: true, ownKeyEnrolled: false }],
  [
    "SecureBoot enabled\n/var/lib/dkms/mok.pub is already enrolled\nend\n",
    { on: true, ownKeyEnrolled: true },
  ],
  ["SecureBoot enabled\n/var/lib/dkms/mok.pub is not enrolled\nend\n", { on: true, ownKeyEnrolled: false }],
  ["SecureBoot disabled\nend\n", { on: false, ownKeyEnrolled: false }],
  ["variable    1\nend\n", { on: true, ownKeyEnrolled: false }],
  ["variable    0\nend\n", { on: false, ownKeyEnrolled: false }],
  ["end\n", { on: false, ownKeyEnrolled: false }],
])("%j", (stdout, found) => {
  expect(read(stdout)).toEqual(found);
});

test("an answer that breaks off is none: it could hide that Secure Boot is on", () => {
  expect(() => read("")).toThrow("has no end");
});
