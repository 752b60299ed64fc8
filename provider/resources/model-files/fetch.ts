import { type Fetch, fetchScript } from "#provider/contract/fetch.ts";
import { type ShellCommand, sh } from "#transport/command.ts";
import { type ModelPlace, modelFile, modelFolder, partialFolder, stampsFolder } from "./places.ts";

/** One file of a model, and where it comes from. */
export interface Wanted {
  readonly file: string;
  readonly sha256: string;
  readonly urls: readonly string[];
}

/**
 * A script that leaves every file verified in its folder with a stamp of that. The token is the first line of
 * stdin.
 */
export function modelScript(model: ModelPlace, wanted: readonly Wanted[]): ShellCommand {
  const fetches = wanted.map(
    ({ file, sha256, urls }): Fetch => ({
      label: file,
      to: modelFile(model, file),
      partial: `${partialFolder(model)}/${file}`,
      sha256,
      urls,
    }),
  );
  return fetchScript({
    folder: modelFolder(model),
    prepare: sh`refused=". A gated model needs its licence accepted on the hub, and the token of that account"
folder=${modelFolder(model)} stamps=${stampsFolder(model)} partials=${partialFolder(model)}
mkdir -p -- "$folder" "$stamps" "$partials" || exit 1
keep() { mkdir -p -- "$(dirname -- "$stamps/$1")" && s=$(stat -c '%s %.9Y %i %.9Z' -- "$folder/$1") &&
  printf '%s %s\\n' "$s" "$2" > "$stamps/$1.new" && mv -f -- "$stamps/$1.new" "$stamps/$1"; }`,
    fetches,
    after: ({ label, sha256 }) => sh`keep ${label} ${sha256} || exit 1`,
  });
}
