import { open } from "node:fs/promises";

/** Reads the beginning of something, as much as a parser asks for. */
export interface Beginning {
  /** What is read, for errors. */
  readonly name: string;
  /** The bytes in order; nobody reads further than needed. */
  chunks(): AsyncIterable<Uint8Array>;
}

// Headers are a few hundred bytes to some 12 MB (a tokenizer of 260,000 tokens); beyond this something else
// was fetched.
const most = 256 * 2 ** 20;

/**
 * Reads until the parser has enough.
 * @param parse `undefined` means that it needs more bytes
 * @throws when the file ends before, with the parser's error otherwise; the name stands in front
 */
export async function parseBeginning<T>(
  beginning: Beginning,
  parse: (bytes: Uint8Array) => T | undefined,
): Promise<T> {
  let held = new Uint8Array(0);
  let length = 0;
  let tryAt = 1;
  const attempt = () => {
    try {
      return parse(held.subarray(0, length));
    } catch (error) {
      throw new Error(`${beginning.name}: ${(error as Error).message}`, { cause: error });
    }
  };
  for await (const chunk of beginning.chunks()) {
    if (length + chunk.length > held.length) {
      const grown = new Uint8Array(Math.max(2 * held.length, length + chunk.length));
      grown.set(held.subarray(0, length));
      held = grown;
    }
    held.set(chunk, length);
    length += chunk.length;
    if (length > most) throw new Error(`${beginning.name}: no end of its header within ${most} bytes`);
    if (length < tryAt) continue;
    const parsed = attempt();
    if (parsed !== undefined) return parsed;
    // Parsing starts over each time, so it waits until there is twice as much.
    tryAt = 2 * length;
  }
  const parsed = attempt();
  if (parsed !== undefined) return parsed;
  throw new Error(`${beginning.name}: the file ends inside its header, after ${length} bytes`);
}

/** The beginning of a file on this machine. */
export function fileBeginning(path: string): Beginning {
  return {
    name: path,
    async *chunks() {
      await using file = await open(path);
      for await (const chunk of file.createReadStream({ highWaterMark: 256 * 1024 })) yield chunk as Buffer;
    },
  };
}
