/** One option of a command, as `parseArgs` takes it and as `--help` tells it. */
interface Option {
  readonly type: "boolean" | "string";
  readonly short?: string;
  readonly default?: string;
  /** What stands behind a `string` option: `FILE`. */
  readonly value?: string;
  readonly what: string;
}

/** One command of ours: what it reads from its command line, and what `--help` and README say of it. */
export interface Command {
  /** As it is typed behind `npm run`. */
  readonly name: string;
  readonly what: string;
  /** Its words, in order; the last one may be in brackets, and is then left out or given. */
  readonly words: readonly string[];
  /** What stands behind its words and belongs to another program. */
  readonly rest?: string;
  readonly options: Readonly<Record<string, Option>>;
  readonly exitCodes: Readonly<Record<string, string>>;
  /** A whole command line. */
  readonly example: string;
}

const failed = { "0": "done", "1": "failed" } as const;

const report = {
  json: { type: "boolean", what: "print the report as JSON" },
  junit: { type: "string", value: "FILE", what: "write the report as JUnit XML too" },
  markdown: { type: "string", value: "FILE", what: "write the report as Markdown too" },
} as const;

/** Every command, in the order in which an operator meets them. */
export const commands = {
  plan: {
    name: "plan",
    what: "what `up` would change on which host and with which steps, and what fits where; changes nothing",
    words: ["stack"],
    options: {
      refresh: { type: "boolean", short: "r", what: "look at every host first" },
      json: { type: "boolean", what: "print the plan as JSON" },
    },
    exitCodes: { "0": "done", "1": "a model does not fit, or it failed" },
    example: "npm run plan prod -- --refresh",
  },
  up: {
    name: "up",
    what: "brings the machines to what the stack file says",
    words: ["stack"],
    options: {
      host: { type: "string", value: "NAME", what: "only what is on this host" },
      yes: { type: "boolean", short: "y", what: "do not ask before it begins" },
      refresh: { type: "boolean", short: "r", what: "look at every host first, and repair what differs" },
      diff: { type: "boolean", what: "show every changed value" },
      "skip-preview": { type: "boolean", short: "f", what: "begin without looking what it would change" },
    },
    exitCodes: { "0": "done", other: "that of Pulumi" },
    example: "npm run up prod -- --host rack1 --yes",
  },
  verify: {
    name: "verify",
    what: "asks units and models whether they answer, and closed ports whether they are closed",
    words: ["stack"],
    options: report,
    exitCodes: { "0": "all passed", "1": "something did not, or it failed" },
    example: "npm run verify prod -- --junit verify.xml",
  },
  drift: {
    name: "drift",
    what: "compares the machines with what was last applied to them; read-only",
    words: ["stack"],
    options: {
      deep: {
        type: "boolean",
        what: "hash models, archives and packages too, whatever their times say; takes minutes",
      },
      ...report,
    },
    exitCodes: {
      "0": "in sync",
      "2": "drifted, unfinished, never made or still on its way",
      "3": "could not look somewhere",
      "1": "failed",
    },
    example: "npm run drift prod -- --markdown drift.md",
  },
  "host add": {
    name: "host add",
    what: "compares a machine's host key with you, reads what it has, and writes it into the stack file",
    words: ["user@address[:port]", "stack"],
    options: {
      name: { type: "string", value: "NAME", what: "its name in the inventory; default: from its own" },
      jump: {
        type: "string",
        value: "HOST,…",
        what: "the way to it: hosts of the inventory, or user@address[:port]",
      },
      "identity-file": { type: "string", value: "FILE", what: "the private key that logs in" },
      "host-key": { type: "string", value: "SHA256:…", what: "the host key it must show; needed with --yes" },
      yes: { type: "boolean", short: "y", what: "do not ask" },
    },
    exitCodes: { "0": "done", "1": "refused or failed" },
    example: "npm run host add ops@10.0.0.11 prod -- --name rack1",
  },
  "host refresh": {
    name: "host refresh",
    what: "reads again what the machines have, and writes what changed into the stack file",
    words: ["stack", "[host]"],
    options: {},
    exitCodes: { "0": "done", "1": "some machine could not be read" },
    example: "npm run host refresh prod rack1",
  },
  "service add": {
    name: "service add",
    what: "finds what of a model on the hub fits where, pins its files and writes a service into the stack file",
    words: ["stack", "name", "owner/model[:quant]"],
    options: {
      host: { type: "string", value: "NAME", what: "the machine that serves it; default: where it fits" },
      engine: { type: "string", value: "NAME", what: "what serves it; default: by the model's files" },
      port: { type: "string", value: "N", what: "port of its API; default: the first free one from 8080" },
      token: { type: "boolean", what: "read a token for a gated repository: asked for, or on stdin" },
      json: { type: "boolean", what: "print what was considered as JSON" },
      yes: { type: "boolean", short: "y", what: "do not ask" },
    },
    exitCodes: { "0": "done", "1": "nothing fits, refused or failed" },
    example: "npm run service add prod chat ggml-org/gemma-3-4b-it-GGUF:Q4_K_M",
  },
  "service remove": {
    name: "service remove",
    what: "takes a service out of the stack file; the next up takes it off its machines",
    words: ["stack", "name"],
    options: {},
    exitCodes: failed,
    example: "npm run service remove prod chat",
  },
  logs: {
    name: "logs",
    what: "the journal of a service's units on all its machines",
    words: ["stack", "service"],
    options: {
      host: { type: "string", value: "NAME", what: "only of this host" },
      follow: { type: "boolean", short: "f", what: "go on with what comes" },
      since: { type: "string", value: "WHEN", what: "from then on, as journalctl takes it: -1h, today" },
      lines: { type: "string", value: "N", what: "the last N lines of each unit; default 100" },
    },
    exitCodes: { "0": "done", "1": "some machine could not be read" },
    example: "npm run logs prod chat -- --follow",
  },
  ssh: {
    name: "ssh",
    what: "your own ssh, with user, port, key, host key and jump hosts of the inventory",
    words: ["stack", "host"],
    rest: "[-- COMMAND …]",
    options: {},
    exitCodes: { any: "that of ssh" },
    example: "npm run ssh prod rack1 -- uptime",
  },
  pin: {
    name: "pin",
    what: "fetches a vendor's files here and writes their hashes into the stack file",
    words: ["vendor", "version", "stack"],
    options: {},
    exitCodes: failed,
    example: "npm run pin llamacpp b7836 prod",
  },
  demo: {
    name: "demo",
    what: "two throw-away hosts on this machine, and one model split between them",
    words: [],
    options: {},
    exitCodes: failed,
    example: "npm run demo",
  },
  "demo:down": {
    name: "demo:down",
    what: "removes what the demo made",
    words: [],
    options: { "keep-images": { type: "boolean", what: "keep the base images for the next time" } },
    exitCodes: failed,
    example: "npm run demo:down -- --keep-images",
  },
  toolchain: {
    name: "toolchain",
    what: "makes the Pulumi CLI available: the vendor's archive by a recorded hash, else built from its Go modules",
    words: [],
    options: { pin: { type: "boolean", what: "download the vendor's archive, tell its hash and record it" } },
    exitCodes: failed,
    example: "npm run toolchain",
  },
  bench: {
    name: "bench",
    what: "times the commands on lab hosts and writes docs/benchmark.md; an option names another part",
    words: [],
    options: {
      peers: { type: "boolean", what: "Ansible, Mitogen and pyinfra beside drift" },
      growth: { type: "boolean", what: "1 to 100 simulated hosts" },
      "first-token": { type: "boolean", what: "from bare hosts to the first token" },
      runs: { type: "string", value: "N", default: "5", what: "runs of each; default 5" },
      hosts: { type: "string", value: "N,…", default: "1,10,50,100", what: "sizes for --growth" },
      out: { type: "string", value: "FOLDER", default: "docs", what: "where it is written; default docs" },
    },
    exitCodes: failed,
    example: "npm run bench -- --growth --hosts 1,10",
  },
} as const satisfies Readonly<Record<string, Command>>;

/** Name of a command, the key of its entry. */
export type CommandName = keyof typeof commands;

const placeholder = (word: string) =>
  word.startsWith("[") ? `[${word.slice(1, -1).toUpperCase()}]` : word.toUpperCase();

/** How a command is called, in one line. */
export function usageOf({ name, words, rest, options }: Command): string {
  const flags = Object.entries(options).map(([flag, { value }]) => `[--${flag}${value ? ` ${value}` : ""}]`);
  return [
    `npm run ${name}`,
    ...words.map(placeholder),
    ...(rest ? [rest] : []),
    ...(flags.length > 0 ? ["--", ...flags] : []),
  ].join(" ");
}

/** What `--help` prints. */
export function helpOf(command: Command): string {
  const { what, options, exitCodes, example } = command;
  const left = ([flag, { short, value }]: [string, Option]) =>
    `${short ? `-${short}, ` : ""}--${flag}${value ? ` ${value}` : ""}`;
  const all = Object.entries({
    ...options,
    help: { type: "boolean", short: "h", what: "this text" } as Option,
  });
  const width = Math.max(...all.map((option) => left(option).length));
  return [
    `${command.name}: ${what}`,
    "",
    `usage: ${usageOf(command)}`,
    "",
    ...all.map((option) => `  ${left(option).padEnd(width)}  ${option[1].what}`),
    "",
    `exit code: ${Object.entries(exitCodes)
      .map(([code, meaning]) => `${code} ${meaning}`)
      .join("; ")}`,
    `example:   ${example}`,
    "",
  ].join("\n");
}
