import { expect, test } from "vitest";
import type { Exposure, Placement } from "#components/serving/placement.ts";
import { openings, topologyProblems } from "./topology.ts";

const place = (address: string) => ({ platform: "linux", address, port: 22 });
const hosts = { rack1: place("10.0.0.11"), rack2: { ...place("rack2.lan"), groupAddress: "10.1.0.12" } };
const exposure = (changes: Partial<Exposure>): Exposure => ({
  host: "rack1",
  port: 8000,
  path: ["port"],
  what: "the API",
  from: "everyone",
  safe: "api key",
  ...changes,
});
const placement = (changes: Partial<Placement>): Placement => ({
  platforms: ["linux"],
  seats: [{ host: "rack1", path: ["host"], role: "server" }],
  exposures: [],
  packages: {},
  ...changes,
});

test("a service is kept off a platform it cannot run on", () => {
  const placements = { chat: placement({ platforms: ["wsl", "windows"] }) };
  expect(topologyProblems({ names: ["rack1", "rack2"], hosts, placements })).toEqual([
    {
      path: ["services", "chat", "host"],
      text: "rack1 is a linux machine; this part runs on wsl or windows",
    },
  ]);
});

test("a host that is wrong in itself is not also called unknown", () => {
  const placements = { chat: placement({ seats: [{ host: "rack3", path: ["host"], role: "server" }] }) };
  expect(topologyProblems({ names: ["rack1", "rack2", "rack3"], hosts, placements })).toEqual([]);
});

test("openings are gathered from all services of a machine, by the address the other machines use", () => {
  const placements = {
    chat: placement({ exposures: [exposure({}), exposure({ port: 9100, from: "itself" })] }),
    big: placement({ exposures: [exposure({ port: 50052, from: ["rack2"], what: "the RPC worker" })] }),
  };
  expect(openings({ hosts, placements })).toEqual({
    rack1: [
      { port: 8000, from: "any", why: "chat: the API" },
      { port: 9100, from: [], why: "chat: the API" },
      { port: 50052, from: ["10.1.0.12"], why: "big: the RPC worker" },
    ],
    rack2: [],
  });
});
