import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { listenersOn, sshPorts } from "./ss.ts";

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

const listeners = (name: string) =>
  listenersOn(8080).parse({ exitCode: 0, stdout: fixture(name), stderr: "" });

test("who listens on a port: at which address, in which unit, in words", () => {
  const units = ["system.slice", "somebody-else.service"];
  const who = "perl (pid 67, somebody-else.service, since 2026-11-21 15:25:57 UTC)";
  expect(listeners("ss-listeners.debian12.txt")).toEqual([
    { address: "0.0.0.0:8080", units, who },
    { address: "[::]:8080", units, who },
  ]);
});

test("a socket that systemd holds is that of its unit", () => {
  expect(listeners("ss-listeners-socket.debian12.txt")).toEqual([
    {
      address: "*:8090",
      units: ["lab-socket.service", "lab-socket.socket"],
      who: "systemd for lab-socket.socket",
    },
  ]);
});

test("nobody listens", () => {
  expect(listenersOn(8080).parse({ exitCode: 0, stdout: "", stderr: "" })).toEqual([]);
});

test("a machine without ss does not say that nobody listens", () => {
  // Recorded on Debian 12.
  const failed = { exitCode: 127, stdout: "", stderr: "sh: 1: ss: not found\n" };
  expect(() => listenersOn(8080).parse(failed)).toThrow("ss: not found");
  expect(() => sshPorts.parse(failed)).toThrow("ss: not found");
});
