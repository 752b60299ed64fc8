import type { Gate } from "./host.ts";

/**
 * A gate for one physical machine. Waiting is first come, first served; work that fails gives its place back.
 * @param through gate of the machine through which this one is reached: it does not reboot under a step here
 */
export function openGate(through?: Gate): Gate {
  const own = ownGate();
  if (through === undefined) return own;
  return {
    // What has passed the outer gate waits in the inner one only for what passed before it, so no two wait
    // for each other.
    step: (turn, work) => through.step(undefined, () => own.step(turn, work)),
    inTurn: (name, work) => own.inTurn(name, work),
    alone: (work) => through.step(undefined, () => own.alone(work)),
  };
}

function ownGate(): Gate {
  const turns = new Map<string, Promise<unknown>>();
  const queues = new Map<string, Promise<unknown>>();
  const running = new Set<Promise<unknown>>();
  let barrier: Promise<unknown> = Promise.resolve();

  /**
   * Runs `work` once `before` has settled; keeps a promise that never rejects, for those who wait in turn.
   */
  function after<T>(
    before: Promise<unknown>,
    work: () => Promise<T>,
  ): { result: Promise<T>; over: Promise<unknown> } {
    const result = before.then(work);
    return { result, over: result.catch(() => undefined) };
  }

  return {
    step(turn, work) {
      const before = turn === undefined ? barrier : Promise.all([barrier, turns.get(turn)]);
      const { result, over } = after(before, work);
      running.add(over);
      void over.then(() => running.delete(over));
      if (turn !== undefined) turns.set(turn, over);
      return result;
    },

    inTurn(name, work) {
      const { result, over } = after(queues.get(name) ?? Promise.resolve(), work);
      queues.set(name, over);
      return result;
    },

    alone(work) {
      const { result, over } = after(Promise.all([barrier, ...running]), work);
      barrier = over;
      return result;
    },
  };
}
