import { afterEach, expect, test, vi } from "vitest";
import { main } from "./main.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
});

test.each(["", "1"])("what an error quotes of a host steers no terminal (DEBUG=%s)", async (debug) => {
  vi.stubEnv("DEBUG", debug);
  const said = vi.spyOn(console, "error").mockReturnValue(undefined);
  const evil = "\u001b]52;c;cm0gLXJm\u0007\u001b[2J\u202e\u009b31m";
  await main("drift", () => Promise.reject(new Error(`sshd says: ${evil}go away`)), ["prod"]);
  expect(process.exitCode).toBe(1);
  const text = said.mock.calls.flat().join("\n");
  expect(text).toContain("sshd says: ");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not be there
  expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
});
