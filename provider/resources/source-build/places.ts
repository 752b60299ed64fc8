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
export const BUILDS = "/var/lib/gpu-hosts/builds";

const hashOf = ({ source, cmake = [], targets, path = [] }: BuildPlace): string =>
  createHash("sha256")
    .update(JSON.stringify([source, cmake, targets, path]))
    .digest("hex")
    .slice(0, 12);

const place = (build: BuildPlace, kind = "") =>
  `${build.directory ?? BUILDS}/${kind}${build.name}/${hashOf(build)}`;

/** Folder of a build: its programs lie in `bin`. Another source or other flags land in another folder. */
export const buildFolder = (build: BuildPlace): string => place(build);

/** Records of what was built, beside the builds. */
export const stampsFolder = (build: BuildPlace): string => place(build, ".built/");

/** Where it is compiled; gone once it is built. */
export const treeFolder = (build: BuildPlace): string => place(build, ".tree/");
