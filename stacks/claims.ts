import type { Claim, Exposure } from "#components/claims.ts";
import { engines as allEngines, type Engines } from "#components/engines.ts";
import type { Service } from "#components/serving/engine.ts";
import type { Base } from "./schema.ts";

/** What of a stack can claim something: as much of it as is right in itself. */
export interface Claimants {
  /** Services; of a wrong one, the keys that are right. */
  readonly services: Readonly<Record<string, Partial<Service>>>;
  readonly base?: Pick<Base, "openings"> | undefined;
}

/** Everything that takes up machines, ports or packages. A new kind of thing that does is its line here. */
export function claimsOf({ services, base }: Claimants, engines: Engines = allEngines): Claim[] {
  return [
    ...Object.entries(services).flatMap(([name, service]) => serviceClaims(name, service, engines)),
    ...(base ? [openingsClaim(base)] : []),
  ];
}

function serviceClaims(name: string, service: Partial<Service>, engines: Engines): Claim[] {
  const engine = engineOf(service, engines);
  return engine ? [{ path: ["services", name], name, placement: engine.placement(service) }] : [];
}

/** The engine that a service names, if there is such a one. */
export function engineOf({ engine }: { readonly engine?: unknown }, engines: Engines) {
  return typeof engine === "string" && Object.hasOwn(engines, engine) ? engines[engine] : undefined;
}

/** Ports that the base guards for others. */
function openingsClaim({ openings }: Pick<Base, "openings">): Claim {
  const exposures = Object.entries(openings).flatMap(([host, all]) =>
    all.map(({ port, protocol, from, why }, i): Exposure => {
      const at = { host, port, protocol, path: [host, i, "port"], what: why };
      if (from === "any") return { ...at, from: "everyone", safe: "meant" };
      return { ...at, from: from.length === 0 ? "itself" : from.map((address) => ({ address })) };
    }),
  );
  return {
    path: ["base", "openings"],
    placement: { platforms: [], seats: [], exposures, packages: [] },
  };
}
