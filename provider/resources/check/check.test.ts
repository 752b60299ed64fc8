import { expect, test } from "vitest";
import { checkRecord } from "#facts/check-record.ts";
import { pathText } from "#inventory/problems.ts";
import { shown } from "#provider/contract/step.ts";
import { compare } from "#provider/converge/compare.ts";
import { keyOf } from "#transport/command.ts";
import { fakeHost } from "#transport/fake.ts";
import { check } from "./check.ts";

const inputs = {
  name: "chat",
  probe: { kind: "completion", url: "http://127.0.0.1:8080", model: "tiny" },
  generation: "7",
  unit: "chat.service",
};
const want = check.inputs.parse(inputs);
const path = "/var/lib/gpu-hosts/checks/chat.json";
const host = (record: string) => fakeHost({ [keyOf(checkRecord(path).command)]: record });
const context = { before: () => undefined };

test("a bare host: the probe, then its record; what is read back is in sync", async () => {
  expect(await check.observe(host(""), want, undefined)).toBeUndefined();
  const steps = [...check.apply(want, undefined, context)];
  expect(steps.map((step) => shown(step).split(" (")[0])).toEqual([
    "wait for http://127.0.0.1:8080 to answer a completion of tiny",
    "install -d -m 0700 /var/lib/gpu-hosts/checks",
    `write ${path}`,
  ]);
  const written = steps.flatMap((step) => (step.kind === "write" ? [step.content] : [])).join("");
  const seen = await check.observe(host(`1795254000\n${written}`), want, want);
  expect(compare(want, seen)).toEqual([]);
  expect(seen?.status).toEqual({ passedAt: "2026-11-21T09:40:00.000Z" });
});

test("another generation or probe than the recorded is a difference, a damaged record is all of them", async () => {
  const record = (probe: object, generation: string) =>
    `1795254000\n${JSON.stringify({ probe, generation })}\n`;
  const differences = async (text: string) =>
    compare(want, await check.observe(host(text), want, want)).map((change) => pathText(change.path));
  expect(await differences(record(inputs.probe, "6"))).toEqual(["generation"]);
  expect(await differences(record({ ...inputs.probe, model: "big" }, "7"))).toEqual(["probe.model"]);
  expect(await differences("1795254000\nhalf a rec")).toEqual(["probe", "generation"]);
});
