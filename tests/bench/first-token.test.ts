import { expect, test } from "vitest";
import { longestChain, type Span } from "./first-token.ts";

const span = (name: string, begun: number, done: number, ...after: string[]): Span => ({
  name,
  type: "Files",
  begun,
  done,
  after,
});

test("the longest chain is that of the times, not of the links", () => {
  const spans = [
    span("packages", 0, 10),
    span("files", 0, 1),
    span("firewall", 10, 11, "packages"),
    span("user", 1, 2, "files"),
    span("folder", 2, 3, "user"),
    span("service", 11, 16, "firewall", "folder"),
  ];
  expect(longestChain(spans)).toEqual({ names: ["packages", "firewall", "service"], seconds: 16 });
});

test("time that a resource had to wait is not its own", () => {
  expect(longestChain([span("a", 0, 1), span("b", 5, 6, "a")]).seconds).toBe(2);
});
