/**
 * Where a model of some revision lies; pure, so that units and checks can name its files before they exist.
 */
export interface ModelPlace {
  readonly name: string;
  readonly revision: string;
  /** @default /var/lib/gpu-hosts/models */
  readonly directory?: string | undefined;
}

/** Default of the input `directory`. */
export const defaultModelsFolder = "/var/lib/gpu-hosts/models";

const place = ({ directory = defaultModelsFolder, name, revision }: ModelPlace, kind = "") =>
  `${directory}/${kind}${name}/${revision}`;

/** Folder of a model at a revision. */
export const modelFolder = (model: ModelPlace): string => place(model);

/** Path of one of its files. */
export const modelFile = (model: ModelPlace, file: string): string => `${place(model)}/${file}`;

/** Records of verified hashes; beside the models, so that no server takes them for part of one. */
export const stampsFolder = (model: ModelPlace): string => place(model, ".verified/");

/** Downloads that are not complete, on the same file system, so that they end in a rename. */
export const partialFolder = (model: ModelPlace): string => place(model, ".partial/");
