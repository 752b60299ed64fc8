import type { Readable } from "node:stream";
import type { ClientChannel } from "ssh2";
import type { Command } from "./command.ts";
import { HostError, lastLines, type Subject, shortened } from "./errors.ts";
import { type Frame, FrameReader } from "./frames.ts";
import type { RootShell } from "./login.ts";
import { prologue, wrapped } from "./script.ts";

/** What came back from a command, as bytes. */
export interface RawFinished {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** One command for a worker, and whom to tell. */
export interface Request {
  readonly command: Command;
  readonly timeoutSeconds: number;
  readonly stdin?: string | Uint8Array | undefined;
  readonly onLine?: ((line: string) => void) | undefined;
  resolve(finished: RawFinished): void;
  reject(error: HostError): void;
}

/** Seconds beyond a command's limit after which we give the connection up: the host would have ended it by then. */
const GRACE_SECONDS = 10;

/** A long-lived root shell on one SSH channel; runs the requests it is given one after another. */
export class Worker {
  readonly #subject: Subject;
  readonly #channel: ClientChannel;
  readonly #nonce: string;
  readonly #outFrames: Frame[] = [];
  readonly #errFrames: Frame[] = [];
  #requests: Request[] = [];
  #over: () => void = () => undefined;
  #headSince = 0;
  #heardAt = 0;
  #watchdog: NodeJS.Timeout | undefined;
  #closed = false;
  /** Called when a command outran even the local limit: the connection is of no use any more. */
  readonly #onHang: (error: HostError) => void;

  constructor(subject: Subject, { channel, nonce }: RootShell, onHang: (error: HostError) => void) {
    this.#subject = subject;
    this.#channel = channel;
    this.#nonce = nonce;
    this.#onHang = onHang;
    this.#listen(channel, this.#outFrames);
    this.#listen(channel.stderr, this.#errFrames);
    channel.on("close", () => {
      this.#closed = true;
      this.#fail("the connection broke");
    });
    channel.write(prologue(nonce));
  }

  get idle(): boolean {
    return this.#requests.length === 0 && !this.#closed;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends all requests as one script. Each is answered as it ends; the promise resolves when the last one has. */
  async perform(requests: readonly Request[]): Promise<void> {
    const text = requests.map((r) => wrapped(r.command, this.#nonce, r.timeoutSeconds, r.stdin)).join("");
    await this.#start(requests, text);
  }

  /** Runs text in the worker shell itself, not in a child under a time limit: for what must live as long as the shell. */
  statement(command: Command, timeoutSeconds: number): Promise<RawFinished> {
    return new Promise((resolve, reject) => {
      const request = { command, timeoutSeconds, resolve, reject };
      void this.#start([request], `{ ${command.text}\n}; e\n`);
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
      this.#watch();
      // A long text takes its time to leave; the command can only start when it has.
      const [first] = requests;
      this.#channel.write(text, () => this.#requests[0] === first && this.#watch());
    }
    return over.promise;
  }

  #listen(stream: Readable, frames: Frame[]): void {
    const reader = new FrameReader(this.#nonce);
    const onFrame = (frame: Frame) => void frames.push(frame);
    const onLine = (line: string) => this.#requests[frames.length]?.onLine?.(line);
    stream.on("data", (chunk: Buffer) => {
      this.#heardAt = performance.now();
      reader.push(chunk, onFrame, onLine);
      this.#settle();
    });
  }

  #settle(): void {
    while (this.#outFrames.length > 0 && this.#errFrames.length > 0) {
      const out = this.#outFrames.shift();
      const err = this.#errFrames.shift();
      const request = this.#requests.shift();
      if (!out || !err || !request) return;
      const elapsed = performance.now() - this.#headSince;
      const finished = { exitCode: Number(out.trailer), stdout: out.payload, stderr: err.payload };
      if (ranOut(finished.exitCode, elapsed, request)) request.reject(this.#timedOut(request, finished));
      else request.resolve(finished);
      if (this.#requests.length > 0) this.#watch();
      else this.#finish();
    }
  }

  #watch(): void {
    if (this.#requests.length === 0) return;
    this.#headSince = performance.now();
    this.#heardAt = this.#headSince;
    clearTimeout(this.#watchdog);
    const limit = (this.#requests[0]?.timeoutSeconds ?? 0) + GRACE_SECONDS;
    const look = () => {
      // A long answer over a slow line is not silence.
      const quiet = (performance.now() - this.#heardAt) / 1000;
      if (quiet < GRACE_SECONDS) this.#watchdog = setTimeout(look, (GRACE_SECONDS - quiet) * 1000 + 10);
      else this.#hang();
    };
    this.#watchdog = setTimeout(look, limit * 1000);
  }

  #hang(): void {
    const [request] = this.#requests;
    if (!request) return;
    const what = `no answer ${request.timeoutSeconds + GRACE_SECONDS} s after: ${shortened(request.command)}`;
    const error = new HostError(this.#subject, "timeout", `${what}; the connection is given up`);
    this.#fail(error.what, error);
    this.#onHang(error);
  }

  #timedOut(request: Request, finished: RawFinished): HostError {
    const said = lastLines(`${finished.stdout}\n${finished.stderr}`);
    const what = `${shortened(request.command)} was ended: it took longer than its limit of ${request.timeoutSeconds} s`;
    return new HostError(this.#subject, "timeout", said === "" ? what : `${what}\n${said}`);
  }

  #finish(): void {
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
      request.reject(error ?? new HostError(this.#subject, "lost", `${why} ${doing}`));
    }
    this.#finish();
  }
}

/**
 * 124 and 137 are what `timeout` returns, but a command may end so itself; only time tells. The tolerance is for answers
 * held up on the way.
 */
function ranOut(exitCode: number, elapsed: number, { timeoutSeconds }: Request): boolean {
  return (exitCode === 124 || exitCode === 137) && elapsed >= timeoutSeconds * 900 - 500;
}
