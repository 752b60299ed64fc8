import { type Command, keyOf } from "./command.ts";
import type { RawFinished } from "./dialect.ts";

/** A read-only question on its way to a host. */
export interface Question {
  readonly command: Command;
  readonly timeoutSeconds: number;
}

/** How long questions wait for others to travel with them. */
const gatherMs = 2;
/** After this long a batch that is on its way no longer holds up the next one: something in it is slow. */
const holdMs = 250;

/**
 * After this long without an answer those behind the one that hangs are asked again, past it; if nothing
 * comes then either, after twice as long. A host that is merely slow has its work doubled by it: a hundred
 * hosts on two cores took 17 s for what is done in 11 when 2 s were the limit.
 */
const firstStallMs = 5000;

interface Waiting {
  readonly question: Question;
  readonly answer: PromiseWithResolvers<RawFinished>;
  answered: boolean;
}

/**
 * Gathers questions asked at about the same moment and hands them over together. The same question asked
 * twice in one gathering is sent once; never joined to one already sent, whose answer may be older than what
 * the asker has done since.
 */
export class Batcher {
  readonly #send: (questions: readonly Question[]) => Promise<RawFinished>[];
  #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #underWay = 0;

  constructor(send: (questions: readonly Question[]) => Promise<RawFinished>[]) {
    this.#send = send;
  }

  ask(question: Question): Promise<RawFinished> {
    const key = `${question.timeoutSeconds} ${keyOf(question.command)}`;
    const same = this.#waiting.get(key);
    if (same) return same.answer.promise;
    const answer = Promise.withResolvers<RawFinished>();
    this.#waiting.set(key, { question, answer, answered: false });
    if (this.#underWay === 0) this.#timer ??= setTimeout(() => this.#flush(), gatherMs);
    return answer.promise;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = [...this.#waiting.values()];
    this.#waiting = new Map();
    if (batch.length > 0) this.#dispatch(batch);
  }

  #dispatch(batch: readonly Waiting[], stallMs = firstStallMs): void {
    let held = true;
    this.#underWay += 1;
    const release = () => {
      if (!held) return;
      held = false;
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#flush();
    };
    const hold = setTimeout(release, holdMs);
    const stall = setTimeout(() => {
      const behind = batch.filter(({ answered }) => !answered).slice(1);
      if (behind.length > 0) this.#dispatch(behind, 2 * stallMs);
    }, stallMs);
    const answers = this.#send(batch.map(({ question }) => question));
    const noted = batch.map(async (waiting, i) => {
      await answers[i]?.then(waiting.answer.resolve, waiting.answer.reject);
      waiting.answered = true;
      stall.refresh();
    });
    void Promise.all(noted).then(() => {
      clearTimeout(hold);
      clearTimeout(stall);
      release();
    });
  }
}
