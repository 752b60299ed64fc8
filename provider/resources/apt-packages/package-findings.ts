import type { Diversion, PackageFile, PackageFiles } from "#facts/package-files.ts";
import type { Finding } from "#provider/contract/resource.ts";

/** First part of a finding's path; the package and the file follow. */
const content = "content";
/** Of a file that somebody had dpkg put elsewhere. */
const diverted = "diverted";

/** Programs and what they load. Data beside them may be written anew by the packages' own scripts. */
const serves = /^\/((usr\/)?(s?bin|lib\w*|libexec)|opt)\//;
/** Not scripts that others read, such as gettext.sh. */
const isProgram = (path: string) => /^\/(usr\/)?s?bin\/[^/.]+$/.test(path);

/** What is wrong with a file; owner and mode count only where nobody could run it, or everybody write it. */
function wrongWith(path: string, { state, now }: PackageFile): string | undefined {
  if (state === "missing") return "is missing";
  if (state === "changed") return "is not as it was installed";
  if (now?.type !== "f") return undefined;
  const mode = Number.parseInt(now.mode, 8);
  if ((mode & 0o002) !== 0) return `may be written by everybody (${now.mode})`;
  return isProgram(path) && (mode & 0o111) === 0 ? `may be run by nobody (${now.mode})` : undefined;
}

/**
 * Programs and libraries of packages that are not as the packages brought them. A diversion that a package
 * made is its own business.
 */
export function packageFindings(
  { files }: PackageFiles,
  diversions: readonly Diversion[],
): readonly Finding[] {
  return [...files].flatMap(([path, file]): Finding[] => {
    const diversion = diversions.find((one) => one.path === path);
    const wrong = wrongWith(path, file);
    if (!serves.test(path) || wrong === undefined || diversion?.by !== undefined) return [];
    const named = `the file ${path} of package ${file.package}`;
    return [
      diversion
        ? {
            path: [diverted, file.package, path],
            text: `${named} was put away as ${diversion.to} by somebody with dpkg-divert`,
          }
        : { path: [content, file.package, path], text: `${named} ${wrong}` },
    ];
  });
}

const pathsAt = (findings: readonly Finding[] | undefined, kind: string) =>
  (findings ?? []).flatMap(({ path: [first, name, file] }) =>
    first === kind ? [{ name: String(name), file: String(file) }] : [],
  );

/** Packages that must be installed anew for what was found. */
export const damagedPackages = (findings: readonly Finding[] | undefined): readonly string[] => [
  ...new Set([content, diverted].flatMap((kind) => pathsAt(findings, kind).map(({ name }) => name))),
];

/** Files of packages that somebody had dpkg put elsewhere. */
export const divertedFiles = (findings: readonly Finding[] | undefined): readonly string[] =>
  pathsAt(findings, diverted).map(({ file }) => file);
