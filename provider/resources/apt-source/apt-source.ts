import { z } from "zod";
import { aptFree } from "#facts/apt.ts";
import { contents } from "#facts/files.ts";
import { defineResource, type Finding, findingAt } from "#provider/contract/resource.ts";
import { remove, run, type Step, wait, write } from "#provider/contract/step.ts";
import { sh } from "#transport/command.ts";
import { parsePin, parseSources, renderKey, renderPin, renderSources, type Stanza } from "./render.ts";

const word = z.string().regex(/^\S+$/, "holds no blanks; give several as several entries of the list");

const pin = z.strictObject({
  priority: z
    .int()
    .min(-1)
    .max(1001)
    .describe(
      "As in apt_preferences(5): over 500 wins over the distribution, over 1000 even downgrades, -1 forbids.",
    ),
  packages: z.array(word).min(1).default(["*"]).describe("Packages it holds for; names and shell patterns."),
});

const inputs = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]*$/, "is lower case letters, digits and hyphens")
      .describe("Names the files: /etc/apt/sources.list.d/<name>.sources and its key."),
    uris: z
      .array(z.url({ protocol: /^(https?|file)$/, error: "is an http://, https:// or file:// address" }))
      .min(1)
      .describe("Where the repository or its mirrors are."),
    suites: z.array(word).min(1).describe('Suites, or a path that ends in "/" for a flat repository.'),
    components: z.array(word).default([]).describe("Components of the suites; none for a flat repository."),
    architectures: z.array(word).default([]).describe("Only these; none means those of the machine."),
    key: z
      .string()
      .refine((key) => !key.includes("PRIVATE KEY"), "is a private key; the public one belongs here")
      .refine(
        (key) =>
          /^\s*-----BEGIN PGP PUBLIC KEY BLOCK-----/.test(key) || /^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(key),
        "is neither an armored public key nor the base64 of a binary one",
      )
      .describe("Public key that signs the repository: armored text, or the base64 of a binary key."),
    pin: pin.optional().describe("Preference over other sources of the same packages."),
  })
  .refine(
    ({ suites, components }) => components.length > 0 !== suites.every((suite) => suite.endsWith("/")),
    {
      path: ["components"],
      error: 'a suite needs components, a flat repository (all suites end in "/") has none',
    },
  );

type Want = z.output<typeof inputs>;

/**
 * As the owners record keeps a source of that name: the text of a file that says more than our inputs have
 * words for.
 */
type Original = Partial<Want> & { readonly sourcesText?: string; readonly pinText?: string };

const sourcesPath = (name: string) => `/etc/apt/sources.list.d/${name}.sources`;
const keyPath = (name: string) => `/etc/apt/keyrings/${name}.asc`;
const pinPath = (name: string) => `/etc/apt/preferences.d/${name}`;
const itemName = (name: string | undefined) => `apt source ${name}`;

const readable = { mode: "0644", owner: "root:root" };

const isStanza = (found: Original): found is Original & Stanza => found.uris !== undefined;

/** A file as far as our inputs have words for it, and whether that is all it says. */
interface ParsedFile<T> {
  readonly parsed: T;
  readonly rendered: string;
  readonly text: string;
}

function readSources(text: string, name: string): ParsedFile<Partial<Stanza>> {
  if (text === "") return { parsed: {}, rendered: "", text };
  const parsed = parseSources(text);
  return { parsed, rendered: renderSources(parsed, keyPath(name)), text };
}

/** @param sources the addresses that are wanted, and those of the sources beside it: it fits one of them */
function readPin(
  text: string,
  sources: readonly (readonly string[])[],
): ParsedFile<Pick<Partial<Want>, "pin">> {
  if (text === "") return { parsed: {}, rendered: "", text };
  const pin = parsePin(text);
  const [wanted = "", ...others] = sources.map((uris) => renderPin(pin, uris));
  return { parsed: { pin }, rendered: others.find((rendered) => rendered === text) ?? wanted, text };
}

/** What a file says beside what our inputs have words for: the first lines of it. */
function saysMore(key: string, path: string, { rendered, text }: ParsedFile<unknown>): readonly Finding[] {
  if (rendered === text) return [];
  const ours = new Set(rendered.split("\n"));
  const others = text.split("\n").filter((line) => line.trim() !== "" && !ours.has(line));
  const shown = others.slice(0, 3).map((line) => JSON.stringify(line.slice(0, 80)));
  const more = others.length > shown.length ? ` and ${others.length - shown.length} more` : "";
  const what =
    shown.length > 0 ? `has lines that are not ours: ${shown.join(", ")}${more}` : "is laid out otherwise";
  return [{ path: [key], text: `${path} ${what}` }];
}

/**
 * Tries the source before apt ever sees it: alone, with its key, in a folder of /run. A source that does not
 * work would otherwise stop every later `apt-get update` on the machine. What stands in sources.list.d has
 * therefore been fetched.
 */
function* tryOut(want: Want): Generator<Step> {
  const folder = `/run/gpu-hosts-apt/${want.name}`;
  const candidate = `${folder}/candidate.sources`;
  yield wait({ what: "apt to be free", command: aptFree, deadlineSeconds: 1200, explain: aptFree });
  yield run(sh`rm -rf -- ${folder} && install -d -m 0755 /run/gpu-hosts-apt ${folder} ${`${folder}/parts`}`);
  yield write(`${folder}/key.asc`, renderKey(want.key), readable);
  yield write(candidate, renderSources(want, `${folder}/key.asc`), readable);
  yield write(`${folder}/parts/${want.name}.sources`, renderSources(want, keyPath(want.name)), readable);
  // The same repository in a second file with another key path makes apt refuse all sources.
  yield run(sh`for file in /etc/apt/sources.list.d/*; do
  if [ -f "$file" ] && [ "$file" != ${sourcesPath(want.name)} ]; then cp -- "$file" ${`${folder}/parts/`}; fi
done
apt-get indextargets -o Dir::Etc::sourceparts=${`${folder}/parts`} > /dev/null`);
  // For apt a key that is missing or a file that cannot be fetched is a warning; Error-Mode came with apt
  // 2.3.
  yield run(
    sh`apt-get update -q -o Dir::Etc::sourcelist=${candidate} -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=false \\
  -o APT::Update::Error-Mode=any -o Acquire::Retries=2 2> ${`${folder}/errors`}
code=$?
cat ${`${folder}/errors`} >&2
[ $code = 0 ] && ! grep -qE '^(E: |W: (Failed to fetch|GPG error|An error occurred|Some index files))' ${`${folder}/errors`}`,
    { turn: "apt", timeoutSeconds: 900, explain: aptFree },
  );
}

function* restore(path: string, text: string | undefined): Generator<Step> {
  yield text === undefined ? remove(path) : write(path, text, readable);
}

/**
 * One package source, trusted by one key, with an optional preference.
 *
 * Refused before anything of the machine is changed: a key that does not fit, an address that cannot be
 * fetched, the same repository in another file. Removal puts back the files of that name that were there
 * before.
 */
export const aptSource = defineResource({
  type: "AptSource",
  version: 1,
  inputs,
  identity: ["name"],
  id: (want) => want.name,

  items: ({ name }) => [{ name: itemName(name), path: [] }],

  async observe(host, want) {
    const { name } = want;
    const files = await host.ask(contents([sourcesPath(name), keyPath(name), pinPath(name)]));
    const text = (path: string) => files.get(path)?.toString("utf8") ?? "";
    const [sources, key, preference] = [text(sourcesPath(name)), text(keyPath(name)), text(pinPath(name))];
    if (`${sources}${key}${preference}` === "") return undefined;
    const source = readSources(sources, name);
    const pin = readPin(preference, [want.uris, source.parsed.uris ?? want.uris]);
    const config = {
      name,
      ...source.parsed,
      ...(key === "" ? {} : { key: key === renderKey(want.key) ? want.key : key }),
      ...pin.parsed,
    };
    const [more, morePin] = [
      saysMore("sources", sourcesPath(name), source),
      saysMore("preference", pinPath(name), pin),
    ];
    const original: Original = {
      ...config,
      ...(more.length > 0 ? { sourcesText: sources } : {}),
      ...(morePin.length > 0 ? { pinText: preference } : {}),
    };
    return { config, findings: [...more, ...morePin], originals: { [itemName(name)]: original } };
  },

  *apply(want, have) {
    const { name } = want;
    const now = have?.config ?? {};
    const fields = ["uris", "suites", "components", "architectures", "key"] as const;
    const same = fields.every((field) => JSON.stringify(now[field]) === JSON.stringify(want[field]));
    const trusted = same && !findingAt(have, "sources");
    if (!trusted) yield* tryOut(want);
    // First, so that no other apt meets the source without its preference.
    if (want.pin) yield write(pinPath(name), renderPin(want.pin, want.uris), readable);
    else if (now.pin) yield remove(pinPath(name));
    if (trusted) return;
    yield run(sh`install -d -m 0755 /etc/apt/keyrings`);
    yield write(keyPath(name), renderKey(want.key), readable);
    yield write(sourcesPath(name), renderSources(want, keyPath(name)), readable);
    yield run(sh`rm -rf -- ${`/run/gpu-hosts-apt/${name}`}`);
  },

  *remove(have, { before }) {
    const name = have.config.name ?? "";
    const was = (before(itemName(name)) ?? {}) as Original;
    yield* restore(
      sourcesPath(name),
      was.sourcesText ?? (isStanza(was) ? renderSources(was, keyPath(name)) : undefined),
    );
    yield* restore(keyPath(name), was.key === undefined ? undefined : renderKey(was.key));
    yield* restore(pinPath(name), was.pinText ?? (was.pin && renderPin(was.pin, was.uris ?? [])));
  },
});
