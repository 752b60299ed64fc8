import { createHash } from "node:crypto";

/** What an environment's content depends on; pure, so that units can name its programs before they exist. */
export interface VenvPlace {
  readonly name: string;
  readonly python: string;
  readonly lock: string;
  /** @default /var/lib/gpu-hosts/venvs */
  readonly directory?: string | undefined;
}

/** Default of the input `directory`. */
export const venvsFolder = "/var/lib/gpu-hosts/venvs";

/** Twelve digits that stand for everything an environment's content depends on. */
export const generationOf = ({ python, lock }: Pick<VenvPlace, "python" | "lock">): string =>
  createHash("sha256")
    .update(JSON.stringify([python, lock]))
    .digest("hex")
    .slice(0, 12);

type Named = Pick<VenvPlace, "name" | "directory">;

/** Folders of all generations of an environment: `kind` begins the name of one. */
const parent = ({ directory = venvsFolder, name }: Named, kind = "") => `${directory}/${kind}${name}`;

const place = (venv: VenvPlace, kind: string, generation = generationOf(venv)) =>
  `${parent(venv, kind)}/${generation}`;

/** Folder of an environment: its programs lie in `bin`. Another lock or Python lands in another folder. */
export const venvFolder = (venv: VenvPlace): string => place(venv, "");

/** What stood in the folder when it was made, beside it. */
export const recordFile = (venv: VenvPlace): string => place(venv, ".installed/");

/** Where it is made; gone once it is in place. */
export const stagingFolder = (venv: VenvPlace): string => place(venv, ".staging/");

/** Unpacked packages of all generations, so that a repair or a small change needs no index. */
export const cacheFolder = (venv: Named): string => parent(venv, ".cache/");

/** Interpreters that uv fetched for an environment, where the system has none that fits. */
export const pythonsFolder = (venv: Named): string => parent(venv, ".pythons/");

const kinds = ["", ".installed/", ".staging/"];

/** All that belongs to one generation of an environment. */
export const tracesOf = (venv: VenvPlace, generation: string): readonly string[] =>
  kinds.map((kind) => place(venv, kind, generation));

/** Folders that hold the generations and what belongs to them. */
export const parentFolders = (venv: Named): readonly string[] => kinds.map((kind) => parent(venv, kind));
