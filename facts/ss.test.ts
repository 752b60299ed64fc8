import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { sshPorts } from "./ss.ts";

const parse = (stdout: string) => sshPorts.parse({ exitCode: 0, stdout, stderr: "" });
const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), "utf8");

test("an SSH server's listening port counts, over both families once", () => {
  expect(parse(fixture("ss-sshd.debian12.txt"))).toEqual([22]);
});

test("where systemd listens for it, the connection in use tells; forwarded connections do not count", () => {
  expect(parse(fixture("ss-ssh-socket.debian12.txt"))).toEqual([2222]);
});

test("what is no socket is not understood", () => {
  expect(() => parse("Cannot open netlink socket\n")).toThrow("Cannot open netlink");
});
