import { createHash } from "node:crypto";

/** What a build's result depends on; pure, so that units can name its programs before they exist. */
export interface BuildPlace {
  readonly name: string;
  readonly source: string;
  readonly cmake?: readonly string[] | undefined;
  readonly targets: readonly string[];
  readonly path?: readonly string[] | undefined;
  /** @default /var/lib/gpu-hosts/builds */
  readonly directory?: string | undefined;
}

/** Default of the input `directory`. */
export const buildsFolder = "/var/lib/gpu-hosts/builds";

/** Twelve digits that stand for everything a build's result depends on. */
export const generationOf = ({ source, cmake = [], targets, path = [] }: BuildPlace): string =>
  createHash("sha256")
    .update(JSON.stringify([source, cmake, targets, path]))
    .digest("hex")
    .slice(0, 12);

/** Folders of all generations of a build: `kind` begins the name of one. */
const parent = ({ directory = buildsFolder, name }: BuildPlace, kind = "") => `${directory}/${kind}${name}`;

const place = (build: BuildPlace, kind: string, generation = generationOf(build)) =>
  `${parent(build, kind)}/${generation}`;

/** Folder of a build: its programs lie in `bin`. Another source or other flags land in another folder. */
export const buildFolder = (build: BuildPlace): string => place(build, "");

/** What stood in the folder when it was built, beside it. */
export const recordFile = (build: BuildPlace): string => place(build, ".built/");

/** Where it is compiled; gone once it is built. */
export const treeFolder = (build: BuildPlace): string => place(build, ".tree/");

const kinds = ["", ".built/", ".tree/"];

/** All that belongs to one generation of a build. */
export const tracesOf = (build: BuildPlace, generation: string): readonly string[] =>
  kinds.map((kind) => place(build, kind, generation));

/** Folders that hold the generations and what belongs to them. */
export const parentFolders = (build: BuildPlace): readonly string[] =>
  kinds.map((kind) => parent(build, kind));
