import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";
import type { ClientChannel } from "ssh2";
import type { Command } from "./command.ts";
import type { Assignment, Conversation, Dialect, RawFinished } from "./dialect.ts";
import { HostError, type HostErrorKind, type HostName, shortened, withLastLines } from "./errors.ts";
import { type Frame, FrameReader, frameLimit } from "./frames.ts";
import { harmless } from "./harmless.ts";

/** One command for a worker, and whom to tell. */
export interface Request extends Assignment {
  readonly onLine?: ((line: string) => void) | undefined;
  resolve(finished: RawFinished): void;
  reject(error: HostError): void;
}

/** What is under way on one connection; all its workers share the link. */
export interface Traffic {
  /** Bytes sent for requests of which no answer has come yet. */
  bytesOut: number;
  heardAt: number;
}

/** The slowest link that is waited for. */
const slowestBytesPerSecond = 16_000;

/** How long others' answers may keep a worker's from getting through. */
const crowdedSeconds = 120;

/**
 * How much longer than its limit an answer may keep coming; a large one gets the time of the slowest link
 * beside it.
 */
const endlessSeconds = crowdedSeconds;

/**
 * Seconds beyond a command's limit after which we give the connection up: the host would have ended it by
 * then.
 */
const graceSeconds = 10;

/** A long-lived shell on one SSH channel; runs the requests it is given one after another. */
export class Worker {
  readonly #host: HostName;
  readonly #channel: ClientChannel;
  /**
   * Marks the ends of answers. It travels on stdin alone: who knew it could forge answers, and argument lists
   * are public.
   */
  readonly #nonce = randomBytes(16).toString("hex");
  readonly #conversation: Conversation;
  readonly #outFrames: Frame[] = [];
  readonly #errFrames: Frame[] = [];
  #requests: Request[] = [];
  #over: () => void = () => undefined;
  #headSince = 0;
  #heardAt = 0;
  /** Bytes that came since the present command was begun. */
  #received = 0;
  #watchdog: NodeJS.Timeout | undefined;
  #closed = false;
  /** Called when a command outran even the local limit: the connection is of no use any more. */
  readonly #onHang: (error: HostError) => void;

  readonly #traffic: Traffic;
  #bytesOut = 0;

  /** @param channel a shell that has greeted and waits for text on its stdin */
  constructor(
    host: HostName,
    channel: ClientChannel,
    dialect: Dialect,
    traffic: Traffic,
    onHang: (error: HostError) => void,
  ) {
    this.#host = host;
    this.#traffic = traffic;
    this.#channel = channel;
    this.#conversation = dialect.converse(this.#nonce);
    this.#onHang = onHang;
    this.#listen(channel, this.#outFrames);
    this.#listen(channel.stderr, this.#errFrames);
    channel.on("close", () => {
      this.#closed = true;
      this.#fail("the connection broke");
    });
    channel.write(this.#conversation.first);
  }

  get idle(): boolean {
    return this.#requests.length === 0 && !this.#closed;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Sends all requests as one script. Each is answered as it ends; the promise resolves when the last one
   * has.
   */
  async perform(requests: readonly Request[]): Promise<void> {
    const text = requests.map((request) => this.#conversation.request(request)).join("");
    await this.#start(requests, text);
  }

  /**
   * Runs a command in the worker shell itself, not in a child under a time limit: for what must live as long
   * as the shell.
   */
  statement(command: Command, timeoutSeconds: number): Promise<RawFinished> {
    return new Promise((resolve, reject) => {
      const request = { command, timeoutSeconds, resolve, reject };
      void this.#start([request], this.#conversation.statement(command));
    });
  }

  /** Bytes for what already runs in the shell. */
  feed(text: string): void {
    this.#channel.write(text);
  }

  close(): void {
    this.#channel.end();
    this.#channel.close();
  }

  /** Called once when the shell has ended, for whatever reason. */
  onEnd(listener: () => void): void {
    this.#channel.once("close", listener);
  }

  #start(requests: readonly Request[], text: string): Promise<void> {
    const over = Promise.withResolvers<void>();
    this.#requests = [...requests];
    this.#over = over.resolve;
    if (this.#closed) this.#fail("the connection was already closed");
    else {
      this.#count(text.length);
      this.#watch();
      // A long text takes its time to leave; the command can only start when it has.
      const [first] = requests;
      this.#channel.write(text, () => this.#requests[0] === first && this.#watch());
    }
    return over.promise;
  }

  #listen(stream: Readable, frames: Frame[]): void {
    const reader = new FrameReader(this.#nonce);
    // What nobody asked for is no answer.
    const onFrame = (frame: Frame) => {
      if (frames.length < this.#requests.length) frames.push(frame);
    };
    const onLine = (text: string) => {
      const line = this.#conversation.line(text);
      if (line !== undefined) this.#requests[frames.length]?.onLine?.(harmless(line));
    };
    stream.on("data", (chunk: Buffer) => {
      if (reader.overfull) return;
      this.#heardAt = performance.now();
      this.#traffic.heardAt = this.#heardAt;
      this.#received += chunk.length;
      reader.push(chunk, onFrame, onLine);
      if (reader.overfull)
        this.#giveUp("answer", `sent more than ${frameLimit / 1024 / 1024} MiB in answer to`);
      else this.#settle();
    });
  }

  #settle(): void {
    while (this.#outFrames.length > 0 && this.#errFrames.length > 0) {
      const out = this.#outFrames.shift();
      const err = this.#errFrames.shift();
      const request = this.#requests.shift();
      if (!out || !err || !request) return;
      const elapsed = performance.now() - this.#headSince;
      this.#count(0);
      const raw = { exitCode: Number(out.trailer), stdout: out.payload, stderr: err.payload };
      const finished = this.#conversation.answer(raw);
      if (this.#ranOut(raw.exitCode, elapsed, request)) request.reject(this.#timedOut(request, finished));
      else request.resolve(finished);
      if (this.#requests.length > 0) this.#watch();
      else this.#finish();
    }
  }

  #watch(): void {
    if (this.#requests.length === 0) return;
    this.#headSince = performance.now();
    this.#heardAt = this.#headSince;
    this.#received = 0;
    clearTimeout(this.#watchdog);
    // What was written, by us and by others on the same link, may still be on its way.
    const travel = this.#traffic.bytesOut / slowestBytesPerSecond;
    const limit = (this.#requests[0]?.timeoutSeconds ?? 0) + graceSeconds + travel;
    const crowded = this.#headSince + (limit + crowdedSeconds) * 1000;
    const look = () => {
      // A long answer over a slow line is not silence, nor is another's that ours is behind.
      const now = performance.now();
      const heardAt = now < crowded ? Math.max(this.#heardAt, this.#traffic.heardAt) : this.#heardAt;
      const quiet = (now - heardAt) / 1000;
      const longest = limit + endlessSeconds + this.#received / slowestBytesPerSecond;
      if (now - this.#headSince > longest * 1000)
        this.#giveUp("timeout", "did not come to the end of its answer to");
      else if (quiet < graceSeconds) this.#watchdog = setTimeout(look, (graceSeconds - quiet) * 1000 + 10);
      else this.#hang();
    };
    this.#watchdog = setTimeout(look, limit * 1000);
  }

  /** Notes how much is under way for us. */
  #count(bytes: number): void {
    this.#traffic.bytesOut += bytes - this.#bytesOut;
    this.#bytesOut = bytes;
  }

  #hang(): void {
    const [request] = this.#requests;
    if (!request) return;
    const what = `no answer ${request.timeoutSeconds + graceSeconds} s after: ${shortened(request.command)}`;
    const error = new HostError(this.#host, "timeout", `${what}; the connection is given up`);
    this.#fail(error.what, error);
    this.#onHang(error);
  }

  /**
   * The host talks on: the connection is of no use, while what waits behind may be asked again on another
   * one.
   */
  #giveUp(kind: HostErrorKind, doing: string): void {
    const command = this.#requests[0]?.command;
    const what = command ? `${doing}: ${shortened(command)}` : `${doing} nothing that was asked`;
    const error = new HostError(this.#host, kind, `${what}; the connection is given up`);
    this.#requests.shift()?.reject(error);
    this.#fail("the connection was given up");
    this.#onHang(error);
  }

  #timedOut(request: Request, finished: RawFinished): HostError {
    const what = `${shortened(request.command)} was ended: it took longer than its limit of ${request.timeoutSeconds} s`;
    return new HostError(
      this.#host,
      "timeout",
      withLastLines(what, `${finished.stdout}\n${finished.stderr}`),
    );
  }

  /**
   * A command may end of itself with the code of one that ran out of time; only time tells. The tolerance is
   * for answers held up on the way.
   */
  #ranOut(exitCode: number, elapsed: number, { timeoutSeconds }: Request): boolean {
    return this.#conversation.mayBeLimit(exitCode) && elapsed >= timeoutSeconds * 900 - 500;
  }

  #finish(): void {
    this.#count(0);
    clearTimeout(this.#watchdog);
    this.#over();
  }

  #fail(why: string, error?: HostError): void {
    const requests = this.#requests;
    this.#requests = [];
    for (const [i, request] of requests.entries()) {
      const doing =
        i === 0
          ? `while running: ${shortened(request.command)}`
          : `before it ran: ${shortened(request.command)}`;
      request.reject(error ?? new HostError(this.#host, "lost", `${why} ${doing}`, lostHint));
    }
    this.#finish();
  }
}

const lostHint =
  "it may have rebooted, or the network broke: look at it (uptime), then run it again, which goes on where this ended";
