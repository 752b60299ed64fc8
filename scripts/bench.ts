import { timeCommands } from "#tests/bench/commands.ts";
import { timeFirstToken } from "#tests/bench/first-token.ts";
import { timeGrowth } from "#tests/bench/growth.ts";
import { thisMachine } from "#tests/bench/machine.ts";
import { timePeers } from "#tests/bench/peers/peers.ts";
import { record } from "#tests/bench/report.ts";
import { ensurePulumi } from "#toolchain/install.ts";
import { UsageError } from "./terminal/arguments.ts";
import { main } from "./terminal/main.ts";

const numbers = (text: string): number[] => {
  const all = text.split(",").map(Number);
  if (!all.every((one) => Number.isInteger(one) && one > 0)) throw new UsageError(`${text} are no numbers`);
  return all;
};

/**
 * Without options: whole commands beside a bare ssh. An option names another part, which is then measured
 * instead.
 */
await main("bench", async ({ values }) => {
  const [rounds = 5] = numbers(values.runs);
  const sizes = numbers(values.hosts);
  await ensurePulumi();
  const say = (line: string) => console.error(line);
  const part = async <T>(
    found: () => Promise<T>,
    versions?: (found: T) => Readonly<Record<string, string>>,
  ) => {
    const at = await thisMachine();
    const figures = await found();
    return { at: { ...at, versions: { ...at.versions, ...versions?.(figures) } }, rounds, found: figures };
  };
  const others = values.peers || values.growth || values["first-token"];
  if (!others) record(values.out, { commands: await part(() => timeCommands(rounds, say)) });
  if (values.peers)
    record(values.out, {
      peers: await part(
        () => timePeers(rounds, say),
        ({ versions }) => versions,
      ),
    });
  if (values.growth) record(values.out, { growth: await part(() => timeGrowth(sizes, rounds, say)) });
  if (values["first-token"])
    record(values.out, { firstToken: { ...(await part(() => timeFirstToken(say))), rounds: 1 } });
  console.log(`written to ${values.out}/benchmark.md and benchmark.json`);
  return 0;
});
