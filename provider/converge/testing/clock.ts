import { vi } from "vitest";

/** Lets the test's clock run until some work has ended; a day must be enough. */
export async function runClock<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  const watched = work.finally(() => {
    isOver = true;
  });
  watched.catch(() => undefined);
  for (let hour = 0; hour < 24 && !isOver; hour++) {
    for (let step = 0; step < 36_000 && !isOver; step++) await vi.advanceTimersByTimeAsync(100);
  }
  if (!isOver) throw new Error("the work has not ended within a day");
  return await watched;
}

/** The error that some work ends with. */
export async function errorOf(work: Promise<unknown>): Promise<Error> {
  const error = await work.then(
    () => undefined,
    (error: Error) => error,
  );
  if (error === undefined) throw new Error("should have failed");
  return error;
}

/** Stands in for `node:timers/promises`, whose timers the test's clock does not reach. */
export const promisedTimers = {
  setTimeout: (milliseconds: number): Promise<void> =>
    new Promise((resolve) => {
      globalThis.setTimeout(resolve, milliseconds);
    }),
};
