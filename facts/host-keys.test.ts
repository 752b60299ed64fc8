import { expect, test } from "vitest";
import { hostKeys } from "./host-keys.ts";

test("a key a line, comments left out", () => {
  const stdout = "ssh-ed25519 AAAA root@rack1\n\necdsa-sha2-nistp256 BBBB\n";
  expect(hostKeys.parse({ exitCode: 0, stdout, stderr: "" })).toEqual([
    { type: "ssh-ed25519", blob: "AAAA" },
    { type: "ecdsa-sha2-nistp256", blob: "BBBB" },
  ]);
});
