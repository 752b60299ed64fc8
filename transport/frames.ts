/**
 * One answer in a stream: the bytes before the marker, and the text between marker and line end (an exit
 * code).
 */
export interface Frame {
  readonly payload: Buffer;
  readonly trailer: string;
}

/**
 * The largest answer: nothing of ours needs more, and a host that talks without end must not take our memory.
 */
export const frameLimit = 64 * 1024 * 1024;

/**
 * Cuts a byte stream into frames. A frame ends with `marker`, a trailer and a line feed; the payload may hold
 * any bytes, and need not end with a line feed.
 */
export class FrameReader {
  readonly #marker: Buffer;
  readonly #limit: number;
  #overfull = false;
  #data = Buffer.alloc(16_384);
  #length = 0;
  #scanned = 0;
  #shown = 0;
  /** Up to where line ends were looked for. */
  #searched = 0;

  /** @param limit bytes that may come without the end of a frame; what comes after so many is thrown away */
  constructor(marker: string, limit = frameLimit) {
    this.#marker = Buffer.from(marker);
    this.#limit = limit;
  }

  /** More than the limit came: this stream makes no sense any more. */
  get overfull(): boolean {
    return this.#overfull;
  }

  /**
   * Takes a chunk and calls `onFrame` for each frame it completes. Between, `onLine` gets each line of
   * payload as soon as it is whole (the last one at the end of its frame, even without a line feed).
   */
  push(
    chunk: Buffer,
    onFrame: (frame: Frame) => void,
    onLine: (line: string) => void = () => undefined,
  ): void {
    if (this.#length + chunk.length > this.#limit) {
      this.#overfull = true;
      this.forget();
      this.#data = Buffer.alloc(0);
    }
    if (this.#overfull) return;
    this.#append(chunk);
    for (;;) {
      const data = this.#data.subarray(0, this.#length);
      const end = data.indexOf(this.#marker, this.#scanned);
      if (end < 0) {
        this.#scanned = Math.max(0, this.#length - this.#marker.length);
        this.#showWholeLines(data, onLine);
        return;
      }
      this.#scanned = end;
      const lineEnd = data.indexOf(10, end);
      if (lineEnd < 0) return;
      this.#showLines(end, onLine);
      const payload = Buffer.from(data.subarray(0, end));
      const trailer = data.toString("latin1", end + this.#marker.length, lineEnd).trim();
      this.#drop(lineEnd + 1);
      onFrame({ payload, trailer });
    }
  }

  /** What has come in since the last frame. */
  get pending(): Buffer {
    return Buffer.from(this.#data.subarray(0, this.#length));
  }

  /** Forgets what has come in since the last frame. */
  forget(): void {
    this.#drop(this.#length);
  }

  #append(chunk: Buffer): void {
    if (this.#length + chunk.length > this.#data.length) {
      const bigger = Buffer.alloc(Math.max(this.#data.length * 2, this.#length + chunk.length));
      this.#data.copy(bigger, 0, 0, this.#length);
      this.#data = bigger;
    }
    chunk.copy(this.#data, this.#length);
    this.#length += chunk.length;
  }

  #drop(count: number): void {
    this.#data.copy(this.#data, 0, count, this.#length);
    this.#length -= count;
    this.#scanned = 0;
    this.#shown = 0;
    this.#searched = 0;
  }

  #showWholeLines(data: Buffer, onLine: (line: string) => void): void {
    const lineEnd = data.subarray(this.#searched).lastIndexOf(10);
    if (lineEnd >= 0) this.#showLines(this.#searched + lineEnd + 1, onLine);
    this.#searched = data.length;
  }

  #showLines(end: number, onLine: (line: string) => void): void {
    if (end <= this.#shown) return;
    const text = this.#data.toString("utf8", this.#shown, end);
    this.#shown = end;
    for (const line of (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n")) onLine(line);
  }
}
