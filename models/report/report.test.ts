import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parsePoints } from "#models/report/points.ts";
import { reportOf, reportText } from "#models/report/report.ts";

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
const points = parsePoints(read("../data/vram-points.csv"));
const report = reportOf(points);

test("no measured point that was refused is said to fit, and few that ran are refused", () => {
  const { falseFits, falseNos, judged } = report.summary;
  expect(points.filter(({ fits }) => !fits).length).toBeGreaterThan(5);
  expect(falseFits).toEqual([]);
  expect(falseNos.length / judged).toBeLessThanOrEqual(0.1);
});

test("llama.cpp: between 0 and 600 MiB more than measured on every device, and the cache to the MiB", () => {
  const { llamaCppErrors, cacheErrorMiB } = report.summary;
  expect(llamaCppErrors.length).toBeGreaterThan(50);
  expect(Math.min(...llamaCppErrors)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...llamaCppErrors)).toBeLessThanOrEqual(600);
  expect(cacheErrorMiB).toBeLessThan(1);
});

test("vLLM: the cache that is left is within 10 % on plain models, and hybrids are marked", () => {
  const { vllmErrors } = report.summary;
  expect(vllmErrors.length).toBeGreaterThan(4);
  for (const error of vllmErrors) expect(Math.abs(error)).toBeLessThanOrEqual(0.1);
  expect(
    report.vllm.filter(({ point }) => /Qwen3\.[68]/.test(point.model)).every(({ hybrid }) => hybrid),
  ).toBe(true);
});

test("the errors hold for each source by itself: no term was set to please one", () => {
  const bySource = Map.groupBy(
    report.llamaCpp,
    ({ point }) => new URL(point.source.split(" ")[0] ?? "").pathname,
  );
  expect(bySource.size).toBeGreaterThan(5);
  for (const [source, rows] of bySource)
    for (const { errorMiB } of rows) expect(errorMiB ?? 0, source).toBeGreaterThanOrEqual(0);
});

test("docs/what-fits.md shows these tables (written by node models/report-main.ts)", () => {
  expect(read("../../docs/what-fits.md")).toContain(reportText(points));
});
