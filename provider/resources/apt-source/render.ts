/** What a sources file of one stanza says. */
export interface Stanza {
  uris: string[];
  suites: string[];
  components: string[];
  architectures: string[];
}

/** What a preferences file says. */
export interface Pin {
  packages: string[];
  priority: number;
}

/** A deb822 sources file that trusts one key only. */
export function renderSources({ uris, suites, components, architectures }: Stanza, keyPath: string): string {
  const lines = [
    "Types: deb",
    `URIs: ${uris.join(" ")}`,
    `Suites: ${suites.join(" ")}`,
    ...(components.length > 0 ? [`Components: ${components.join(" ")}`] : []),
    ...(architectures.length > 0 ? [`Architectures: ${architectures.join(" ")}`] : []),
    `Signed-By: ${keyPath}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** A preferences file: apt knows a source by its host's name. */
export function renderPin({ packages, priority }: Pin, uris: readonly string[]): string {
  const hosts = [...new Set(uris.map((uri) => new URL(uri).hostname))];
  return hosts
    .map((host) => `Package: ${packages.join(" ")}\nPin: origin "${host}"\nPin-Priority: ${priority}\n`)
    .join("\n");
}

/** Fields of the first stanza; a field in several lines is none that we write, and shows as another text. */
function fields(text: string): ReadonlyMap<string, string> {
  const [first = ""] = text.split(/\n\s*\n/);
  return new Map(
    [...first.matchAll(/^([\w-]+):[ \t]*(.*)$/gm)].map(([, key = "", value = ""]) => [key, value.trim()]),
  );
}

const words = (value: string | undefined) => (value ?? "").split(/\s+/).filter((word) => word !== "");

/** What a sources file says, as far as our inputs have words for it. */
export function parseSources(text: string): Stanza {
  const found = fields(text);
  return {
    uris: words(found.get("URIs")),
    suites: words(found.get("Suites")),
    components: words(found.get("Components")),
    architectures: words(found.get("Architectures")),
  };
}

/** What a preferences file says, as far as our inputs have words for it. */
export function parsePin(text: string): Pin {
  const found = fields(text);
  return { packages: words(found.get("Package")), priority: Number(found.get("Pin-Priority") ?? 0) };
}

/** CRC-24 of RFC 4880, 6.1. */
function crc24(data: Buffer): Buffer {
  let crc = 0xb704ce;
  for (const byte of data) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if (crc & 0x1000000) crc ^= 0x1864cfb;
    }
  }
  return Buffer.from([crc >> 16, crc >> 8, crc]);
}

/**
 * The key as an `.asc` file; vendors publish theirs armored or binary, apt takes a binary one only under
 * another suffix.
 */
export function renderKey(key: string): string {
  if (key.includes("-----BEGIN")) return `${key.trim()}\n`;
  const data = Buffer.from(key, "base64");
  const body = data.toString("base64").replaceAll(/.{1,64}/g, "$&\n");
  return `-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n${body}=${crc24(data).toString("base64")}\n-----END PGP PUBLIC KEY BLOCK-----\n`;
}
