import { networkInterfaces } from "node:os";
import type { ClosedPort } from "#checks/outside-tests.ts";
import { stackVerify } from "#checks/verify.ts";
import { claimsOf } from "#stacks/claims.ts";
import { parseConfiguration } from "#stacks/config.ts";
import type { Configuration } from "#stacks/schema.ts";
import { ensurePulumi } from "#toolchain/install.ts";
import { readStack } from "./stack/stack.ts";
import { main } from "./terminal/main.ts";
import { printReport, voice } from "./terminal/output.ts";

await main("verify", async ({ words: [stack = ""], values }) => {
  await ensurePulumi();
  const say = voice();
  try {
    say.now(`reading stack ${stack}`);
    const { exported, raw } = await readStack(stack);
    // Whether a model fits is answered by the model itself here.
    const configuration = parseConfiguration(raw, { facts: () => undefined });
    let done = 0;
    say.now("testing");
    const results = await stackVerify(
      exported,
      configuration,
      closedPorts(configuration),
      ({ host, name, label }) => {
        done += 1;
        say.now(`${done} tested; ${host}, ${name}: ${label}`);
      },
    );
    say.stop();
    return printReport({ command: "verify", stack, results }, values);
  } finally {
    say.stop();
  }
});

/** Ports that this machine must not reach; none where it is itself among those who may. */
function closedPorts(configuration: Configuration): readonly ClosedPort[] {
  const { hosts } = configuration;
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
  );
  const isThisMachine = (host: string) =>
    own.has(hosts[host]?.address ?? "") || own.has(hosts[host]?.groupAddress ?? "");
  return claimsOf({ services: configuration.services }).flatMap(({ name, placement }) =>
    placement.exposures.flatMap(({ host, protocol = "tcp", port, what, from }) => {
      // That a UDP port is closed cannot be told from its silence.
      if (from === "everyone" || protocol === "udp" || hosts[host] === undefined) return [];
      const sources = from === "itself" ? [] : from;
      const allowed = [host, ...sources.filter((source) => typeof source === "string")];
      return allowed.some(isThisMachine) ? [] : [{ host, allowed, port, what: `${name}: ${what}` }];
    }),
  );
}
