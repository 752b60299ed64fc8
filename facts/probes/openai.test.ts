import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askHttp, completionRequest, judgeCompletion, waitHttp } from "./openai.ts";
import { completionProbe, httpProbe } from "./probe.ts";

const answer = (name: string) => ({
  exitCode: 0,
  stderr: "",
  stdout: readFileSync(new URL(`../fixtures/openai/${name}.txt`, import.meta.url), "utf8"),
});
const probe = completionProbe.parse({ kind: "completion", url: "http://127.0.0.1:8080/", model: "tiny" });

test.each([
  ["answer.llamacpp-0.7", { state: "ok", text: 'answered "lv pjpoa"' }],
  ["loading.llamacpp-0.7", { state: "not yet", text: "HTTP 503: Loading model" }],
  ["wrong-key.llamacpp-0.7", { state: "failed", text: "the API key was refused (401)" }],
  ["not-found.llamacpp-0.7", { state: "failed", text: "HTTP 404: File Not Found" }],
  ["refused.llamacpp-0.7", { state: "not yet", text: expect.stringContaining("Failed to connect") }],
])("%s", (name, verdict) => {
  expect(askHttp(probe).parse(answer(name))).toEqual(verdict);
});

test("an answer of another kind is not taken for a completion", () => {
  expect(judgeCompletion(200, "<html>hello</html>")).toEqual({
    state: "failed",
    text: "answered without a choice: <html>hello</html>",
  });
  expect(judgeCompletion(200, '{"choices": []}').state).toBe("failed");
  expect(judgeCompletion(400, '{"message":"no chat template"}').text).toBe("HTTP 400: no chat template");
});

test("a reasoning model that spent its tokens before it spoke has answered", () => {
  const body = JSON.stringify({ choices: [{ message: { content: null, reasoning_content: "Hm" } }] });
  expect(judgeCompletion(200, body)).toEqual({ state: "ok", text: 'answered "Hm"' });
});

test("a curl that is missing is no verdict", () => {
  expect(() => askHttp(probe).parse({ exitCode: 127, stdout: " \n\n", stderr: "" })).toThrow(/curl/);
});

test("the path is added to the base address once", () => {
  expect(completionRequest(probe).url).toBe("http://127.0.0.1:8080/v1/chat/completions");
});

let server: Server;
let base: string;
let status = 200;
let body = "{}";
beforeAll(async () => {
  server = createServer((_, response) => response.writeHead(status).end(body)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

/** Runs a wait command here, as a host would. */
const waited = (text: string) =>
  new Promise<{ code: number; said: string }>((resolve) =>
    execFile("sh", ["-c", text], (error, stdout) =>
      resolve({ code: Number(error?.code ?? 0), said: stdout.trim().split("\n").at(-1) ?? "" }),
    ),
  );

test.runIf(process.platform === "linux")("the wait command comes to the same verdicts", async () => {
  const command = waitHttp({ ...probe, url: base }).text;
  const ask = async (code: number, text: string) => {
    [status, body] = [code, text];
    return await waited(command);
  };
  expect(await ask(200, '{"choices":[{"message":{"content":"hi"}}]}')).toEqual({ code: 0, said: "" });
  expect(await ask(503, '{"error":{"message":"Loading model","code":503}}')).toEqual({
    code: 75,
    said: "Loading model (HTTP 503)",
  });
  expect((await ask(401, "no")).code).toBe(1);
  expect(await ask(404, '{"message":"no such model"}')).toEqual({ code: 1, said: "HTTP 404: no such model" });
  expect(await ask(200, "<html>")).toEqual({ code: 1, said: "answered without a choice: <html>" });
  expect((await waited(waitHttp({ ...probe, url: "http://127.0.0.1:1" }).text)).code).toBe(75);

  const page = waitHttp(httpProbe.parse({ kind: "http", url: base, status: 204 })).text;
  status = 204;
  expect((await waited(page)).code).toBe(0);
});

test.each([
  [
    [
      { type: "text", text: "Hel" },
      { type: "text", text: "lo" },
    ],
    "Hello",
  ],
  [{ type: "text", text: "Hello" }, "Hello"],
  ["", "Hm"],
  [[], "Hm"],
])("a content in parts is read as its text: %j", (content, said) => {
  const body = JSON.stringify({ choices: [{ message: { content, reasoning_content: "Hm" } }] });
  expect(judgeCompletion(200, body)).toEqual({ state: "ok", text: `answered ${JSON.stringify(said)}` });
});
