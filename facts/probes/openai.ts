import { type ShellCommand, sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { curl, curlInto, parseAnswer, type Request } from "./curl.ts";
import type { CompletionProbe, HttpProbe, Verdict } from "./probe.ts";

/** Where a chat completion is asked for, and the JSON that asks for a short one. */
export function completionRequest(
  probe: Pick<CompletionProbe, "url" | "model">,
  maxTokens = 8,
): { readonly url: string; readonly body: string } {
  return {
    url: `${probe.url.replace(/\/+$/, "")}/v1/chat/completions`,
    body: JSON.stringify({
      model: probe.model,
      max_tokens: maxTokens,
      temperature: 0,
      messages: [{ role: "user", content: "Say hello." }],
    }),
  };
}

/** The server's own words in an error body, of llama.cpp (`error.message`) or vLLM (`message`, `detail`). */
function serverMessage(body: string): string {
  const message = /"(?:message|detail)"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body)?.[1];
  return (message ?? body.replaceAll(/\s+/g, " ")).slice(0, 200).trim();
}

/**
 * Judges the answer to a completion request, asked on the host or from the operator's machine. `status` 0: no
 * answer.
 */
export function judgeCompletion(status: number, body: string, error = ""): Verdict {
  if (status === 200) {
    const words = choice(body);
    return words === undefined
      ? { state: "failed", text: `answered without a choice: ${serverMessage(body)}` }
      : { state: "ok", text: `answered ${JSON.stringify(words.slice(0, 60))}` };
  }
  if (status === 0) return { state: "not yet", text: `no answer: ${error || "connection failed"}` };
  if (status === 401 || status === 403)
    return { state: "failed", text: `the API key was refused (${status})` };
  const text = `HTTP ${status}: ${serverMessage(body)}`;
  return { state: status === 429 || status >= 500 ? "not yet" : "failed", text };
}

/**
 * Text of the first choice; `undefined` if the body holds none. A reasoning model may spend all its tokens
 * before it speaks.
 */
function choice(body: string): string | undefined {
  try {
    const message = JSON.parse(body)?.choices?.[0]?.message;
    if (typeof message !== "object" || message === null) return undefined;
    return wordsOf(message.content) || wordsOf(message.reasoning_content) || "";
  } catch {
    return undefined;
  }
}

/** A content is a text, or a list of parts of which those of text hold one. */
function wordsOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return content.map(wordsOf).join("");
  if (typeof content !== "object" || content === null) return "";
  return "text" in content ? wordsOf(content.text) : JSON.stringify(content);
}

/** Judges the answer of a plain address. */
function judgeHttp(want: number, status: number, body: string, error = ""): Verdict {
  if (status === want) return { state: "ok", text: `HTTP ${status}` };
  if (status === 0) return { state: "not yet", text: `no answer: ${error || "connection failed"}` };
  return {
    state: status >= 500 ? "not yet" : "failed",
    text: `HTTP ${status}, wanted ${want}: ${serverMessage(body)}`,
  };
}

function request(probe: CompletionProbe | HttpProbe, timeoutSeconds: number): Request {
  const { apiKeyFile } = probe;
  if (probe.kind === "http") return { url: probe.url, apiKeyFile, timeoutSeconds };
  return { ...completionRequest(probe), apiKeyFile, timeoutSeconds };
}

/** Asks a server on the host's own network, through curl there. */
export const askHttp = (probe: CompletionProbe | HttpProbe): Fact<Verdict> => ({
  name: `${probe.kind} ${probe.url}`,
  command: curl(request(probe, 120)),
  timeoutSeconds: 130,
  parse: (finished) => {
    const { status, body, error } = parseAnswer(finished);
    return probe.kind === "http"
      ? judgeHttp(probe.status, status, body, error)
      : judgeCompletion(status, body, error);
  },
});

// One look of a wait step is ended after 60 s.
const waitSeconds = 50;

/**
 * The same question for a `wait` step: exit 0 ready, 75 not yet, 1 it will not be. Last line: what was seen;
 * while nobody answers also `$line`, if the script around it knows what the server last said.
 */
export function waitHttp(probe: CompletionProbe | HttpProbe): ShellCommand {
  const good = probe.kind === "http" ? String(probe.status) : "200";
  const proof = probe.kind === "http" ? "" : '"choices"';
  return sh`${curlInto(request(probe, waitSeconds))}
message=$(printf '%s' "$body" | sed -n 's/.*"message" *: *"\\([^"]*\\)".*/\\1/p' | head -n 1)
said=$(printf '%s' "\${message:-$body}" | tr '\\n' ' ' | cut -c 1-200)
case $code in
${good}) case $body in *${proof}*) exit 0 ;; esac; echo "answered without a choice: $said"; exit 1 ;;
000) echo "no answer yet: $error\${line:+; it says: $line}"; exit 75 ;;
5??|429) echo "$said (HTTP $code)"; exit 75 ;;
401|403) echo "the API key was refused (HTTP $code)"; exit 1 ;;
*) echo "HTTP $code: $said"; exit 1 ;;
esac`;
}
