import { createHash } from "node:crypto";

/** What says where a download lies; pure, so that units can name its files before they exist. */
export interface DownloadPlace {
  readonly name: string;
  readonly sha256: string;
  /** @default /var/lib/gpu-hosts/downloads */
  readonly directory?: string | undefined;
}

/** Default of the input `directory`. */
export const downloadsFolder = "/var/lib/gpu-hosts/downloads";

const generation = ({ sha256 }: DownloadPlace) => sha256.slice(0, 12);
const place = (it: DownloadPlace, kind = "") =>
  `${it.directory ?? downloadsFolder}/${kind}${it.name}/${generation(it)}`;

/** Last part of an address; the name of the file that it gives. Empty where the address ends in a slash. */
export const fileName = (url: string): string =>
  decodeURIComponent(new URL(url).pathname.split("/").at(-1) ?? "");

/** Folder of a download: holds the one file, or what the archive held. */
export const downloadFolder = (it: DownloadPlace): string => place(it);

/** Path of a download that is not unpacked. */
export const downloadFile = (it: DownloadPlace & { readonly url: string }): string =>
  `${place(it)}/${fileName(it.url)}`;

/** Folder of all generations of a download. */
export const nameFolder = ({ directory = downloadsFolder, name }: DownloadPlace): string =>
  `${directory}/${name}`;

/** What stood in the folder when it was put there, beside it, so that no program takes it for a part. */
export const recordFile = (it: DownloadPlace): string => place(it, ".verified/");

/** What is being fetched and unpacked, on the same file system, so that it ends in a rename. */
export const stagingFolder = (it: DownloadPlace): string => place(it, ".partial/");

/** The archive that was unpacked: kept, so that a repair needs no vendor's server. */
export const archiveFile = (it: DownloadPlace): string => place(it, ".archives/");

/** Name of the background work; two downloads never share it. */
export function workName({ name, directory = downloadsFolder }: DownloadPlace): string {
  const hash = createHash("sha256").update(`${directory}/${name}`).digest("hex").slice(0, 8);
  return `download-${name}-${hash}`;
}
