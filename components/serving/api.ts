import { isIPv6 } from "node:net";
import type { Exposure } from "#components/claims.ts";
import type { ServiceBasics } from "./service-schema.ts";

/**
 * The port of a service's API on the machine that answers, and who may connect; none while machine or port
 * are unknown.
 */
export function apiExposures(service: Partial<ServiceBasics>, host: string | undefined): Exposure[] {
  if (host === undefined || service.port === undefined) return [];
  const api = { host, port: service.port, path: ["port"], what: "the API" };
  // A wrong value is left out here, and told as that alone.
  if (service.listen !== "lan") return [{ ...api, from: "itself" }];
  if (service.apiKey) return [{ ...api, from: "everyone", safe: "api key" }];
  if (service.open !== false) return [{ ...api, from: "everyone", safe: "meant" }];
  const cure = "set apiKey, or `listen: local`, or `open: true` if you mean it";
  return [{ ...api, from: "everyone", missing: { path: ["apiKey"], cure } }];
}

/** Base URL of a service's API. @param address of the machine that answers, as clients reach it */
export function apiUrl({ listen, port }: Pick<ServiceBasics, "listen" | "port">, address: string): string {
  const host = listen === "local" ? "127.0.0.1" : address;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}/v1`;
}

/** Address that the process which answers is to listen at. @param address of its machine */
export function listenAddress({ listen }: Pick<ServiceBasics, "listen">, address: string): string {
  if (listen === "local") return "127.0.0.1";
  return isIPv6(address) ? "::" : "0.0.0.0";
}

/** Model name that clients ask for. @param name of the service */
export const modelName = (name: string, { alias }: Pick<ServiceBasics, "alias">): string => alias ?? name;
