import { expect, test } from "vitest";
import type { Claim, Exposure, Placement } from "#components/claims.ts";
import { openingsByHost, topologyProblems } from "./topology.ts";

const place = (address: string) => ({ platform: "linux", address, port: 22 });
const hosts = { rack1: place("10.0.0.11"), rack2: { ...place("rack2.lan"), groupAddress: "10.1.0.12" } };
const names = Object.keys(hosts);
const api = { host: "rack1", port: 8000, path: ["port"], what: "the API" };
const exposure = (changes: Partial<typeof api> = {}): Exposure => ({
  ...api,
  from: "everyone",
  safe: "api key",
  ...changes,
});
const claim = (path: Claim["path"], changes: Partial<Placement>): Claim => ({
  path,
  name: String(path.at(-1)),
  placement: {
    platforms: ["linux"],
    seats: [{ host: "rack1", path: ["host"], role: "server" }],
    exposures: [],
    packages: [],
    ...changes,
  },
});
const service = (name: string, changes: Partial<Placement>) => claim(["services", name], changes);

test("a service is kept off a platform it cannot run on", () => {
  const claims = [service("chat", { platforms: ["wsl", "windows"] })];
  expect(topologyProblems({ names, hosts, claims })).toEqual([
    {
      path: ["services", "chat", "host"],
      text: "rack1 is a linux machine; this part runs on wsl or windows",
    },
  ]);
});

test("a host that is wrong in itself is not also called unknown", () => {
  const claims = [service("chat", { seats: [{ host: "rack3", path: ["host"], role: "server" }] })];
  expect(topologyProblems({ names: [...names, "rack3"], hosts, claims })).toEqual([]);
});

test("openings are gathered from all claims on a machine, by the address the other machines use", () => {
  const claims = [
    service("chat", { exposures: [exposure(), { ...api, port: 9100, from: "itself" }] }),
    service("big", {
      exposures: [{ ...api, port: 50052, from: ["rack2"], what: "the RPC worker" }],
    }),
  ];
  expect(openingsByHost({ hosts, claims })).toEqual({
    rack1: [
      { protocol: "tcp", port: 8000, from: "any", why: "chat: the API" },
      { protocol: "tcp", port: 9100, from: [], why: "chat: the API" },
      { protocol: "tcp", port: 50052, from: ["10.1.0.12"], why: "big: the RPC worker" },
    ],
    rack2: [],
  });
});

// Things that are no services: a gateway in front of all, an exporter on each machine, a tailnet.
const gateway = (changes: Partial<Placement> = {}) =>
  claim(["gateway"], {
    seats: [{ host: "rack2", path: ["host"], role: "gateway" }],
    exposures: [{ ...exposure(), host: "rack2", port: 443, what: "HTTPS" }],
    ...changes,
  });
const exporters = claim(["monitoring", "exporters"], {
  exposures: [{ ...api, port: 9100, from: ["rack2", { address: "10.9.0.0/16" }], what: "metrics" }],
});
const tailnet = claim(["tailnet"], {
  exposures: [
    { ...api, protocol: "udp", port: 41641, from: "everyone", safe: "encrypted", what: "WireGuard" },
  ],
});

test("whatever claims a port gets it opened, TCP or UDP, to hosts and addresses", () => {
  const claims = [gateway(), exporters, tailnet];
  expect(topologyProblems({ names, hosts, claims })).toEqual([]);
  expect(openingsByHost({ hosts, claims })).toEqual({
    rack1: [
      { protocol: "tcp", port: 9100, from: ["10.1.0.12", "10.9.0.0/16"], why: "exporters: metrics" },
      { protocol: "udp", port: 41641, from: "any", why: "tailnet: WireGuard" },
    ],
    rack2: [{ protocol: "tcp", port: 443, from: "any", why: "gateway: HTTPS" }],
  });
});

test("what is no service is told by its own path: unknown hosts, ports, packages, who is let in", () => {
  const claims = [
    service("chat", {
      exposures: [exposure({ port: 443, host: "rack2" })],
      packages: [{ host: "rack2", name: "caddy", version: "2.6.2", path: ["build", "packages", "caddy"] }],
    }),
    gateway({
      seats: [{ host: "rakc2", path: ["hosts", 0], role: "gateway" }],
      exposures: [
        { ...api, host: "rack2", port: 443, what: "HTTPS", from: "everyone", safe: "api key" },
        {
          ...api,
          host: "rack2",
          port: 8443,
          what: "the console",
          from: "everyone",
          missing: { path: ["console", "password"], cure: "set it" },
        },
      ],
      packages: [{ host: "rack2", name: "caddy", version: "any", path: ["package"] }],
    }),
  ];
  expect(topologyProblems({ names, hosts, claims })).toEqual([
    { path: ["gateway", "hosts", 0], text: "rakc2 is no host of gpuhost:hosts; did you mean rack2?" },
    {
      path: ["gateway", "console", "password"],
      text: "is missing, and the console would be open to everyone who reaches rack2; set it",
    },
    {
      path: ["gateway", "port"],
      text: "port 443 on rack2 is taken by the API of chat (services.chat.port); choose another",
    },
    {
      path: ["gateway", "package"],
      text: "rack2 would get any, but chat asks for 2.6.2 there; write the same in both",
    },
  ]);
});

test("a UDP port and a TCP port of one number stand side by side, two of a kind do not", () => {
  const tcp = service("chat", { exposures: [exposure({ port: 41641 })] });
  expect(topologyProblems({ names, hosts, claims: [tcp, tailnet] })).toEqual([]);
  const relay: Claim = { ...tailnet, path: ["relay"], name: "relay" };
  expect(topologyProblems({ names, hosts, claims: [tailnet, relay] })).toEqual([
    {
      path: ["relay", "port"],
      text: "UDP port 41641 on rack1 is taken by WireGuard of tailnet (tailnet.port); choose another",
    },
  ]);
});
