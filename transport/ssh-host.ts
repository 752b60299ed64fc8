import { setTimeout as sleep } from "node:timers/promises";
import { Batcher, type Question } from "./batch.ts";
import { type Command, shownCommand } from "./command.ts";
import type { Destination } from "./connect.ts";
import type { Connection } from "./connection.ts";
import type { RawFinished } from "./dialect.ts";
import { HostError, withLastLines } from "./errors.ts";
import { openGate } from "./gate.ts";
import type { Fact, FileAttributes, Finished, Gate, Machine, RunOptions, System } from "./host.ts";
import { Line, type OnWait } from "./line.ts";
import { type HeldLock, takeLock } from "./lock.ts";
import type { Platform } from "./platform.ts";
import type { ShellKind } from "./shells.ts";
import type { Worker } from "./worker.ts";

const reconnectSeconds = 60;
const pollMs = 500;
const runSeconds = 60;
const factSeconds = 20;
const fileSeconds = 120;
const lockSeconds = 30;
/** Twice the interval at which a host must answer on its connection. */
const silentSeconds = 10;
const sayMs = 5000;

/** A host of any system over SSH. Connects when first needed, and again after its connection broke. */
export class SshHost implements Machine {
  readonly name: string;
  readonly system: System;
  readonly target: string;
  readonly gate: Gate;
  /** Scripts sent and answered so far; logins are not counted. */
  roundTrips = 0;
  readonly #platform: Platform;
  readonly #shellKind: ShellKind;
  readonly #batcher = new Batcher((questions) => this.#submitAll(questions));
  /** The way to it; other hosts may be reached through it. */
  readonly line: Line;
  /** Who we are while the lock is ours; taken again on each new connection. */
  #holder: string | undefined;
  #lock: HeldLock | undefined;
  #locking: Promise<void> | undefined;
  readonly #watchers = new Set<OnWait>();
  #watching: NodeJS.Timeout | undefined;

  /** @param through the gate of the host it is reached through: a reboot there waits for the steps here */
  constructor(destination: Destination, platform: Platform, through?: Gate) {
    this.system = platform.system;
    this.#platform = platform;
    this.#shellKind = platform.shells(destination);
    this.name = destination.endpoint.host.name;
    this.target = destination.endpoint.host.target;
    this.gate = openGate(through);
    const onRoundTrip = () => {
      this.roundTrips += 1;
    };
    this.line = new Line(destination, onRoundTrip, async (connection) => {
      if (this.#holder !== undefined) await this.#takeLock(connection, this.#holder, lockSeconds);
    });
  }

  /** Connects if need be; see {@link Line.connected}. */
  connected(withinSeconds: number, onWait: OnWait = (line) => this.#tellWatchers(line)): Promise<Connection> {
    return this.line.connected(withinSeconds, onWait);
  }

  watch(onWait: OnWait): () => void {
    this.#watchers.add(onWait);
    this.#watching ??= setInterval(() => this.#lookForSilence(), sayMs).unref();
    return () => {
      this.#watchers.delete(onWait);
      if (this.#watchers.size > 0) return;
      clearInterval(this.#watching);
      this.#watching = undefined;
    };
  }

  async run(command: Command, options: RunOptions = {}): Promise<Finished> {
    const { timeoutSeconds = runSeconds, stdin, onLine } = options;
    this.#shellKind.dialect.check(command);
    const connection = await this.connected(reconnectSeconds);
    const [answer] = connection.shells(this.#shellKind).submit([{ command, timeoutSeconds, stdin, onLine }]);
    return decoded(await (answer as Promise<RawFinished>));
  }

  async ask<T>(fact: Fact<T>): Promise<T> {
    const { command, timeoutSeconds = factSeconds } = fact;
    const finished = decoded(await this.#question({ command, timeoutSeconds }));
    try {
      return fact.parse(finished);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const what = `cannot read the answer of ${fact.name} (exit code ${finished.exitCode}): ${reason}`;
      throw new HostError(this, "answer", withOutput(what, finished), undefined, error);
    }
  }

  async readFile(path: string): Promise<Buffer | undefined> {
    const { command, contentOf } = this.#platform.basics.readFile(path);
    const finished = await this.#question({ command, timeoutSeconds: fileSeconds });
    const content = contentOf(finished);
    if (content !== "refused") return content;
    throw new HostError(this, "refused", withLastLines(`cannot read ${path}`, finished.stderr.toString()));
  }

  async writeFile(path: string, content: string | Uint8Array, attributes: FileAttributes): Promise<void> {
    const command = this.#platform.basics.writeFile(path, attributes);
    const finished = await this.run(command, { stdin: content, timeoutSeconds: fileSeconds });
    if (finished.exitCode !== 0)
      throw new HostError(this, "refused", withOutput(`cannot write ${path}`, finished));
  }

  async lock(holder: string, waitSeconds = lockSeconds): Promise<void> {
    if (this.#holder !== undefined) return;
    // Resources ask for it side by side; two takers of our own would wait for each other.
    this.#locking ??= this.connected(reconnectSeconds)
      .then((connection) => this.#takeLock(connection, holder, waitSeconds))
      .finally(() => {
        this.#locking = undefined;
      });
    await this.#locking;
  }

  async reconnect(timeoutSeconds: number): Promise<void> {
    // The old connection stays until a new one has proved that it gets through; what runs on it comes to its
    // end.
    const before = this.line.detach();
    this.#releaseLock();
    try {
      await this.connected(timeoutSeconds);
      before?.retire();
    } catch (error) {
      if (before?.alive) {
        this.line.attach(before);
        if (this.#holder !== undefined) await this.#takeLock(before, this.#holder, lockSeconds);
      }
      throw error;
    }
  }

  async reboot(timeoutSeconds: number): Promise<void> {
    const deadline = performance.now() + timeoutSeconds * 1000;
    const { boot, sameBoot, reboot } = this.#platform.basics;
    const before = await this.ask(boot);
    const asked = await this.run(reboot).catch(lostIsFine);
    if (asked && asked.exitCode !== 0)
      throw new HostError(this, "refused", withOutput(`${shownCommand(reboot)} was refused`, asked));
    this.#releaseLock();
    this.line.drop("the host reboots");
    for (;;) {
      const left = (deadline - performance.now()) / 1000;
      if (left <= 0) throw this.#notRebooted(timeoutSeconds);
      const now = await this.#identityWithin(left);
      if (now !== undefined && !sameBoot(before, now)) return;
      await sleep(pollMs);
    }
  }

  /** Ends the connection for good; what is under way rejects. */
  close(): void {
    this.#releaseLock();
    this.line.close();
  }

  #lookForSilence(): void {
    const seconds = Math.floor(this.line.silentSeconds);
    if (seconds < silentSeconds) return;
    this.#tellWatchers(
      `${this.name} (${this.target}): no answer for ${seconds} s; its connection may be down, waiting …`,
    );
  }

  #tellWatchers(line: string): void {
    for (const tell of this.#watchers) tell(line);
  }

  #submitAll(questions: readonly Question[]): Promise<RawFinished>[] {
    const submitted = this.connected(reconnectSeconds).then((connection) =>
      connection.shells(this.#shellKind).submit(questions),
    );
    return questions.map((_, i) => submitted.then((answers) => answers[i] as Promise<RawFinished>));
  }

  /** Questions change nothing, so one that a broken connection swallowed is asked once more. */
  async #question(question: Question): Promise<RawFinished> {
    this.#shellKind.dialect.check(question.command);
    return this.#batcher.ask(question).catch((error: unknown) => {
      if (error instanceof HostError && error.kind === "lost" && !this.line.closed)
        return this.#batcher.ask(question);
      throw error;
    });
  }

  async #takeLock(connection: Connection, holder: string, waitSeconds: number): Promise<void> {
    const shell = (await connection.shells(this.#shellKind).dedicated()) ?? (await this.#shellApart());
    const { lock } = this.#platform.basics;
    this.#lock = await takeLock(this, lock, shell, { holder, waitSeconds }, () => {
      // If all of the connection broke, let it say so itself.
      setTimeout(() => connection.drop("the host took the lock back: it had not heard of us"), 100).unref();
    });
    this.#holder = holder;
  }

  /** A shell on a connection of its own, for a host that allows one session a connection (MaxSessions 1). */
  async #shellApart(): Promise<Worker> {
    const apart = await this.line.another();
    try {
      const shell = await apart.shells(this.#shellKind).only();
      shell.onEnd(() => apart.drop("the lock was given back"));
      return shell;
    } catch (error) {
      apart.drop("no shell for the lock");
      throw error;
    }
  }

  #releaseLock(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }

  async #identityWithin(seconds: number): Promise<string | undefined> {
    try {
      await this.connected(seconds);
      return await this.ask(this.#platform.basics.boot);
    } catch (error) {
      const passing: readonly string[] = ["lost", "timeout", "unreachable", "refused"];
      if (error instanceof HostError && passing.includes(error.kind)) return undefined;
      throw error;
    }
  }

  #notRebooted(seconds: number): HostError {
    const what = `did not come back from its reboot within ${seconds} s`;
    return new HostError(this, "timeout", what, this.#platform.basics.rebootHint);
  }
}

function decoded({ exitCode, stdout, stderr }: RawFinished): Finished {
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

function withOutput(what: string, { stdout, stderr }: Finished): string {
  return withLastLines(what, `${stdout}\n${stderr}`);
}

/** For a command whose success may break the connection before its answer is here. */
function lostIsFine(error: unknown): undefined {
  if (error instanceof HostError && error.kind === "lost") return undefined;
  throw error;
}
