import { suggestion } from "#inventory/problems.ts";
import type { RepositoryFile } from "./repository.ts";

/** A model of a repository in one quantization. */
export interface GgufModel {
  /** As the file's name has it: `Q4_K_M`, `UD-Q4_K_XL`; a name without one: the name itself. */
  readonly quantization: string;
  /** All parts in order. */
  readonly files: readonly RepositoryFile[];
  readonly bytes: number;
}

const quantization =
  /(?:^|[-_.])((?:UD-)?(?:I?Q\d(?:_[0-9A-Z]+)*|TQ\d_\d|MXFP4(?:_MOE)?|BF16|FP?16|F32))(?=[-_.]|$)/i;
const part = /-(\d{5})-of-(\d{5})$/;

/** What is no model by itself: projectors for pictures, importance matrices, drafts. */
const companions = /(^|[-_./])(mmproj|imatrix|mtp|vocab)([-_.]|$)/i;

/** The models of a repository, one a quantization, largest first; a split one with a part missing is none. */
export function ggufModels(files: readonly RepositoryFile[]): GgufModel[] {
  const models = Map.groupBy(
    files.filter(({ path }) => path.endsWith(".gguf") && !companions.test(nameOf(path))),
    ({ path }) => path.slice(0, -".gguf".length).replace(part, ""),
  );
  return [...models]
    .map(([stem, parts]) => ({
      quantization: quantization.exec(nameOf(stem))?.[1]?.toUpperCase() ?? nameOf(stem),
      files: parts.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
      bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    }))
    .filter(({ files }) => isWhole(files))
    .sort((a, b) => b.bytes - a.bytes);
}

const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

function isWhole(files: readonly RepositoryFile[]): boolean {
  const count = Number(part.exec(files[0]?.path.slice(0, -".gguf".length) ?? "")?.[2] ?? 1);
  return files.length === count;
}

/** The model of a quantization. @throws Error that names the nearest and all there are */
export function modelIn(models: readonly GgufModel[], wanted: string): GgufModel {
  const found = models.find((model) => model.quantization.toLowerCase() === wanted.toLowerCase());
  if (found !== undefined) return found;
  const known = models.map((model) => model.quantization);
  const near = suggestion(wanted, known);
  const all = near.includes("known here") ? "" : `; there are ${known.join(", ")}`;
  throw new Error(`there is no quantization ${wanted}${near}${all}`);
}
