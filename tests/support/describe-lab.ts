import { describe, test } from "vitest";
import { obstacleToLab } from "#lab/requirements.ts";

/**
 * A group of tests that this machine may have an obstacle to. There it is skipped and its title says why;
 * under CI that is a failure, so that a green run always means that the tests ran.
 */
export function describeUnless(obstacle: string | undefined, name: string, body: () => void): void {
  if (!obstacle) describe(name, body);
  else if (process.env.CI === "true") {
    test(name, () => {
      throw new Error(`under CI this must run: ${obstacle}`);
    });
  } else describe.skip(`${name} [${obstacle}]`, body);
}

const noLab = await obstacleToLab();

/** A group of tests that needs lab hosts. */
export const describeLab = (name: string, body: () => void): void => describeUnless(noLab, name, body);
