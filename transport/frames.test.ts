import { expect, test } from "vitest";
import { FrameReader } from "./frames.ts";

const marking = "3f9a-marker";

function readAll(chunks: readonly Buffer[]) {
  const reader = new FrameReader(marking);
  const frames: [string, string][] = [];
  const lines: string[] = [];
  for (const chunk of chunks)
    reader.push(
      chunk,
      ({ payload, trailer }) => frames.push([payload.toString("latin1"), trailer]),
      (line) => lines.push(line),
    );
  return { frames, lines, rest: reader.pending.toString() };
}

const stream = Buffer.from(`one\ntwo${marking} 0\n${marking} 7\nthree\n${marking} 1\nrest`);
const expected = [
  ["one\ntwo", "0"],
  ["", "7"],
  ["three\n", "1"],
];

test("frames come out the same however the bytes were cut", () => {
  for (let size = 1; size <= stream.length; size += 1) {
    const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, i) =>
      stream.subarray(i * size, (i + 1) * size),
    );
    const { frames, lines, rest } = readAll(chunks);
    expect(frames).toEqual(expected);
    expect(lines.filter((line) => line !== "rest")).toEqual(["one", "two", "three"]);
    expect(rest).toBe("rest");
  }
});

test("any byte may stand in a payload", () => {
  const payload = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const { frames } = readAll([Buffer.concat([payload, Buffer.from(`${marking} 0\n`)])]);
  expect(frames).toEqual([[payload.toString("latin1"), "0"]]);
});

test("a line is shown as soon as it is whole, a part of one is not", () => {
  const reader = new FrameReader(marking);
  const lines: string[] = [];
  const push = (text: string) =>
    reader.push(
      Buffer.from(text),
      () => undefined,
      (line) => lines.push(line),
    );
  push("first\nsec");
  expect(lines).toEqual(["first"]);
  push("ond\n");
  expect(lines).toEqual(["first", "second"]);
  push(marking.slice(0, 4));
  push(`${marking.slice(4)} 0\n`);
  expect(lines).toEqual(["first", "second"]);
});

test("megabytes in small chunks arrive whole", () => {
  const chunk = Buffer.alloc(1000, "x");
  const { frames } = readAll([...Array<Buffer>(5000).fill(chunk), Buffer.from(`${marking} 0\n`)]);
  expect(frames[0]?.[0].length).toBe(5_000_000);
});

test("what has no end is thrown away, and said to be so", () => {
  const reader = new FrameReader(marking, 1000);
  const frames: unknown[] = [];
  const onFrame = (frame: unknown) => void frames.push(frame);
  reader.push(Buffer.from(`${"x".repeat(900)}${marking} 0\n`), onFrame);
  expect([frames.length, reader.overfull]).toEqual([1, false]);
  reader.push(Buffer.alloc(900, "x"), onFrame);
  expect(reader.overfull).toBe(false);
  reader.push(Buffer.from(`${"x".repeat(200)}${marking} 0\n`), onFrame);
  expect([frames.length, reader.overfull, reader.pending.length]).toEqual([1, true, 0]);
  reader.push(Buffer.from(`${marking} 0\n`), onFrame);
  expect(frames).toHaveLength(1);
});
