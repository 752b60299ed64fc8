import * as pulumi from "@pulumi/pulumi";

/** A resource that a program declared. */
export interface Declared {
  readonly type: string;
  readonly name: string;
  /** Its inputs in the clear. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Inputs that are, or hold, a secret. */
  readonly secrets: readonly string[];
  /** Names of the resources it waits for. */
  readonly dependsOn: readonly string[];
  /** The engine forgets it without a call to its provider. */
  readonly retainOnDelete: boolean;
  /** Inputs whose changes count for nothing. */
  readonly ignoreChanges: readonly string[];
}

/**
 * How the SDK marks a secret (runtime/rpc.ts); the mocks see the mark at the top of the input that holds it.
 */
const signature = "4dabf18193072939515e22adb298388d";
const isSecret = (value: unknown): value is { value: unknown } =>
  typeof value === "object" && value !== null && signature in value;

function seenAs(type: string, name: string, marked: Record<string, unknown>): Declared {
  const entries = Object.entries(marked);
  const options = registered.get(`${type} ${name}`);
  return {
    type,
    name,
    inputs: Object.fromEntries(entries.map(([key, value]) => [key, isSecret(value) ? value.value : value])),
    secrets: entries.filter(([, value]) => isSecret(value)).map(([key]) => key),
    dependsOn: (options?.getDependenciesList() ?? []).map((urn) => urn.split("::").at(-1) ?? ""),
    retainOnDelete: options?.getRetainondelete() ?? false,
    ignoreChanges: options?.getIgnorechangesList() ?? [],
  };
}

/** Declarations of the run in progress; the mocks of a process are set once. */
let seen: Declared[] = [];
/** Outputs that components registered in the run in progress, by URN. */
export const componentOutputs = new Map<string, Readonly<Record<string, unknown>>>();
const registered = new Map<string, Registration>();

await pulumi.runtime.setMocks(
  {
    call: () => ({}),
    newResource: ({ type, name, inputs }) => {
      seen.push(seenAs(type, name, inputs));
      return { id: `${name}-id`, state: inputs };
    },
  },
  "gpu-hosts",
  "test",
);

interface Registration {
  getType(): string;
  getName(): string;
  getDependenciesList(): string[];
  getRetainondelete(): boolean | undefined;
  getIgnorechangesList(): string[];
}
type Answer = (error: null, response: object) => void;
interface Outputs {
  getUrn(): string;
  getOutputs(): { toJavaScript(): Record<string, unknown> };
}
interface Monitor {
  registerResource(request: Registration, answer: Answer): void;
  registerResourceOutputs(request: Outputs, answer: Answer): void;
}

const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
const register = monitor.registerResource.bind(monitor);
monitor.registerResource = (request, answer) => {
  registered.set(`${request.getType()} ${request.getName()}`, request);
  register(request, answer);
};

const registerOutputs = monitor.registerResourceOutputs.bind(monitor);
monitor.registerResourceOutputs = (request, answer) => {
  componentOutputs.set(request.getUrn(), request.getOutputs().toJavaScript());
  registerOutputs(request, answer);
};

/** Runs a program against Pulumi's mocks and returns all it declared, each after what it depends on. */
export async function declared(program: () => unknown): Promise<Declared[]> {
  seen = [];
  await program();
  // Awaiting one output is not enough: children register later.
  await pulumi.runtime.disconnect();
  return seen;
}
