/**
 * Takes the fields of an SSH message or key apart, one after the other (RFC 4251, 5). Throws where one is not
 * there in whole.
 */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** How many bytes were read. */
  get position(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE();
  }

  string(): Buffer {
    return this.#take(this.uint32());
  }

  /** A string of UTF-8 without NUL. */
  text(): string {
    const text = this.string().toString("utf8");
    if (text.includes("\0")) throw new Error("a text in it holds a NUL");
    return text;
  }

  /** A number that is not negative, its bytes without leading zeros. */
  natural(): Buffer {
    const bytes = this.string();
    if (bytes.length > 0 && (bytes[0] ?? 0) >= 0x80) throw new Error("a number in it is negative");
    const start = bytes.findIndex((byte) => byte !== 0);
    return start === -1 ? Buffer.alloc(0) : bytes.subarray(start);
  }

  /** All must have been read. */
  end(): void {
    if (!this.done) throw new Error(`${this.#bytes.length - this.#at} bytes too many`);
  }

  #take(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw new Error("it ends in the middle");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }
}

/** A string as SSH writes it: its length before it. */
export function sshString(bytes: Buffer | string): Buffer {
  const content = Buffer.from(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}
