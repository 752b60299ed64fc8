import { expect, test } from "vitest";
import { fitText } from "./fit.ts";

const need = { weightsMiB: 4096, cacheMiB: 1024, overheadMiB: 512, freeMiB: 24_064 };

test("services by machine, each place with its numbers, and the verdicts in words", () => {
  const text = fitText([
    {
      service: "big",
      model: "x/big m.gguf",
      decision: "refuse",
      text: "does not fit: rack2 needs 5.5 GiB",
      needs: [
        { ...need, host: "rack2", place: "GPU 0" },
        { ...need, host: "rack1", place: "memory", freeMiB: undefined },
      ],
    },
    { service: "chat", model: undefined, decision: "unknown", text: "not estimated: no facts", needs: [] },
  ]);
  expect(text).toBe(`memory, GiB
  host   place   service  weights  KV   overhead  free  verdict
  rack1  memory  big      4.0      1.0  0.5       ?     does not fit
  rack2  GPU 0   big      4.0      1.0  0.5       23.5  does not fit
  big (x/big m.gguf): does not fit: rack2 needs 5.5 GiB
  chat: not estimated: no facts
`);
});

test("without services there is nothing to tell", () => {
  expect(fitText([])).toBe("");
});
