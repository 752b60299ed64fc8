import { readLogs, unitsOf } from "#checks/logs.ts";
import { ensurePulumi } from "#toolchain/install.ts";
import { harmless } from "#transport/harmless.ts";
import { inventoryOf, readStack } from "./stack/stack.ts";
import { UsageError } from "./terminal/arguments.ts";
import { main } from "./terminal/main.ts";

const defaultLines = 100;

await main("logs", async ({ words: [stack = "", service = ""], values }) => {
  const { host, since, follow } = values;
  const lines = values.lines === undefined ? undefined : Number(values.lines);
  if (lines !== undefined && !(Number.isInteger(lines) && lines > 0))
    throw new UsageError(`--lines ${values.lines} is no number of lines`);
  await ensurePulumi();
  const { exported, raw } = await readStack(stack);
  const everywhere = unitsOf(exported, service);
  const places = everywhere.filter((place) => host === undefined || place.host === host);
  if (places.length === 0)
    throw new UsageError(
      `${service} has no unit on ${host}; it is on: ${everywhere.map((one) => one.host).join(", ")}`,
    );

  const ended = new AbortController();
  if (follow)
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => ended.abort());
  // A reader that has seen enough, such as head.
  process.stdout.on("error", () => process.exit(0));
  const prefixed = places.length > 1;
  const width = Math.max(...places.map((place) => place.host.length));
  const complete = await readLogs(inventoryOf(raw), places, {
    // With --since alone everything from then on is wanted.
    lines: lines ?? (since === undefined ? defaultLines : undefined),
    since,
    follow: follow ? ended.signal : undefined,
    onEntry: (from, { time, source, message }) => {
      const start = `${prefixed ? `${from.padEnd(width)} ` : ""}${clock(time)} ${source}: `;
      process.stdout.write(
        `${start}${message.trimEnd().replaceAll("\n", `\n${" ".repeat(start.length)}`)}\n`,
      );
    },
    onTrouble: (from, error) => console.error(harmless(`${from}: ${error.message}`)),
  });
  return complete ? 0 : 1;
});

/** In the time zone of whoever reads it, the same for all machines. */
function clock(time: number): string {
  const at = new Date(time);
  const local = new Date(time - at.getTimezoneOffset() * 60_000).toISOString();
  return local.slice(0, 23).replace("T", " ");
}
