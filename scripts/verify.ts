import { networkInterfaces } from "node:os";
import type { ClosedPort } from "#checks/outside-tests.ts";
import { stackVerify } from "#checks/verify.ts";
import { parseConfiguration, placement } from "#stacks/config.ts";
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
    const configuration = parseConfiguration(raw);
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
function closedPorts({ hosts, services }: ReturnType<typeof parseConfiguration>): readonly ClosedPort[] {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
  );
  const isThisMachine = (host: string) =>
    own.has(hosts[host]?.address ?? "") || own.has(hosts[host]?.groupAddress ?? "");
  return Object.entries(services).flatMap(([name, service]) =>
    placement(service).exposures.flatMap(({ host, port, what, from }) => {
      if (from === "everyone" || hosts[host] === undefined) return [];
      const allowed = from === "itself" ? [host] : [host, ...from];
      return allowed.some(isThisMachine) ? [] : [{ host, allowed, port, what: `${name}: ${what}` }];
    }),
  );
}
