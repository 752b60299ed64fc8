import { afterAll, beforeAll, expect, test } from "vitest";
import { type Lab, startLab } from "#lab/lab.ts";
import { definitions } from "#provider/resources/index.ts";
import { resources } from "#tests/bench/desired.ts";
import { scan } from "#tests/bench/scan.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { benchOn } from "#tests/support/lab-bench.ts";
import { inventoryEntry } from "#tests/support/stack-config.ts";

let lab: Lab;

describeLab("drift of a host with 40 files, 5 packages and 5 services", () => {
  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    const bench = await benchOn(lab.host("alpha"));
    for (const { type, name, inputs } of resources) {
      const definition = definitions.get(type);
      if (definition) await bench.live(definition, name).up(inputs);
    }
    await bench.close();
  });

  afterAll(async () => {
    await lab?.stop();
  });

  test("takes at most three round trips after the login", async () => {
    const roundTrips = await scan({ alpha: inventoryEntry(lab.host("alpha")) });
    expect(roundTrips).toBeGreaterThan(0);
    expect(roundTrips).toBeLessThanOrEqual(3);
  });
});
