import { describe, test } from "vitest";
import { obstacleToLab } from "#lab/requirements.ts";

const obstacle = await obstacleToLab();

/**
 * A group of tests that needs lab hosts. Where none can run it is skipped and its title says why; under CI that is a
 * failure, so that a green run always means that the lab was there.
 */
export function describeLab(name: string, body: () => void): void {
  if (!obstacle) describe(name, body);
  else if (process.env.CI === "true") {
    test(name, () => {
      throw new Error(`under CI the lab must run: ${obstacle}`);
    });
  } else describe.skip(`${name} [${obstacle}]`, body);
}
