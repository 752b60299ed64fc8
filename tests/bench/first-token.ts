import { eventually, startServedStack } from "#tests/support/served-stack.ts";

/** When one resource was begun and done, in seconds after the first of them was begun. */
export interface Span {
  readonly name: string;
  readonly type: string;
  readonly begun: number;
  readonly done: number;
  /** Names of those that had to be done before. */
  readonly after: readonly string[];
}

/** The way from bare hosts to the first token, in parts. */
export interface FirstToken {
  readonly spans: readonly Span[];
  /**
   * Names along the chain of dependencies that takes longest by itself, and the seconds that its resources
   * took.
   */
  readonly chain: readonly string[];
  readonly chainSeconds: number;
  /** From the first resource begun to the last one done. */
  readonly resourceSeconds: number;
  /** The whole `up`, and from its start to the first answer. */
  readonly upSeconds: number;
  readonly tokenSeconds: number;
}

interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly dependencies?: readonly string[];
}

const nameOf = (urn: string) => urn.slice(urn.lastIndexOf("::") + 2);

/** Reads begin and end of each resource off the lines of an `up`, as they come. */
function stopwatch() {
  const begun = new Map<string, number>();
  const done = new Map<string, number>();
  return {
    begun,
    done,
    line(text: string) {
      const now = performance.now() / 1000;
      const [, name = "", what] = /gpuhost:index:\w+ (\S+) (creating|created)/.exec(text) ?? [];
      if (what === "creating" && !begun.has(name)) begun.set(name, now);
      if (what === "created") done.set(name, now);
    },
  };
}

/** The chain of dependencies whose resources took longest together. */
export function longestChain(spans: readonly Span[]): { names: readonly string[]; seconds: number } {
  const byName = new Map(spans.map((span) => [span.name, span]));
  const known = new Map<string, { names: readonly string[]; seconds: number }>();
  const upTo = (name: string): { names: readonly string[]; seconds: number } => {
    const found = known.get(name);
    const span = byName.get(name);
    if (found || !span) return found ?? { names: [], seconds: 0 };
    const before = span.after
      .map(upTo)
      .reduce((a, b) => (b.seconds > a.seconds ? b : a), { names: [], seconds: 0 });
    const chain = { names: [...before.names, name], seconds: before.seconds + span.done - span.begun };
    known.set(name, chain);
    return chain;
  };
  return spans.map(({ name }) => upTo(name)).reduce((a, b) => (b.seconds > a.seconds ? b : a));
}

/** Two bare hosts to the first answer of a model that is split between them. */
export async function timeFirstToken(say: (line: string) => void): Promise<FirstToken> {
  say("starting two bare hosts and a hub with the tiny model");
  const served = await startServedStack();
  try {
    await served.configure();
    const watch = stopwatch();
    const started = performance.now() / 1000;
    const up = served.workspace.startScript("up", "lab", "--yes");
    let partial = "";
    up.child.stdout?.on("data", (text: string) => {
      const lines = (partial + text).split("\n");
      partial = lines.pop() ?? "";
      for (const line of lines) watch.line(line);
    });
    const { exitCode, output } = await up.ended;
    if (exitCode !== 0) throw new Error(output);
    const upSeconds = performance.now() / 1000 - started;
    await eventually("the model", async () => (await served.ask()).status === 200);
    const tokenSeconds = performance.now() / 1000 - started;
    const exported = await served.workspace.pulumi("stack", "export", "--stack", "lab");
    const { deployment } = JSON.parse(exported.output) as { deployment: { resources: StateResource[] } };
    const first = Math.min(...watch.begun.values());
    const spans = deployment.resources
      .filter(({ urn }) => watch.begun.has(nameOf(urn)))
      .map(({ urn, type, dependencies = [] }) => ({
        name: nameOf(urn),
        type: type.split(":").at(-1) ?? "",
        begun: (watch.begun.get(nameOf(urn)) ?? first) - first,
        done: (watch.done.get(nameOf(urn)) ?? Number.NaN) - first,
        after: dependencies.map(nameOf),
      }));
    const chain = longestChain(spans);
    return {
      spans,
      chain: chain.names,
      chainSeconds: chain.seconds,
      resourceSeconds: Math.max(...spans.map(({ done }) => done)),
      upSeconds,
      tokenSeconds,
    };
  } finally {
    await served.stop();
  }
}
