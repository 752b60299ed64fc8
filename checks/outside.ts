import { connect } from "node:net";
import { completionRequest, judgeCompletion } from "#facts/openai.ts";
import type { Outcome } from "./result.ts";

/** A service as the stack's outputs name it. */
export interface Service {
  readonly name: string;
  /** Base address without `/v1`. */
  readonly url: string;
  readonly model: string;
  readonly apiKey?: string;
}

const COMPLETION_MS = 120_000;
const CONNECT_MS = 3_000;

/** Services among the outputs of a stack: entries of `services`, each with its key in the output `<name>-apiKey`. */
export function servicesIn(outputs: Readonly<Record<string, unknown>>): readonly Service[] {
  return Object.entries(outputs.services ?? {}).flatMap(([name, output]) => {
    const { url, model } = (output ?? {}) as Record<string, unknown>;
    if (typeof url !== "string" || typeof model !== "string") return [];
    const apiKey = outputs[`${name}-apiKey`];
    const base = url.replace(/\/v1\/?$/, "");
    return [{ name, url: base, model, ...(typeof apiKey === "string" ? { apiKey } : {}) }];
  });
}

async function ask(service: Service, apiKey: string | undefined): Promise<{ status: number; text: string }> {
  const { url, body } = completionRequest(service);
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}) },
    body,
    signal: AbortSignal.timeout(COMPLETION_MS),
  });
  return { status: response.status, text: await response.text() };
}

/** What kept fetch from an answer: its own message is only "fetch failed". */
function reason(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message ? cause.message : message;
}

/** Asks for a completion from this machine, with the key. */
export async function completes(service: Service): Promise<Outcome> {
  try {
    const { status, text } = await ask(service, service.apiKey);
    const verdict = judgeCompletion(status, text);
    return { ok: verdict.state === "ok", text: verdict.text };
  } catch (error) {
    return { ok: false, text: `no answer at ${service.url} from this machine: ${reason(error)}` };
  }
}

/** Asks for a completion without the key, which must be refused. */
export async function refusesStrangers(service: Service): Promise<Outcome> {
  try {
    const { status } = await ask(service, undefined);
    const refused = status === 401 || status === 403;
    return {
      ok: refused,
      text: refused ? `refused (HTTP ${status})` : `answered HTTP ${status} without a key`,
    };
  } catch (error) {
    return { ok: undefined, text: `no answer at ${service.url}: ${reason(error)}` };
  }
}

/** Tries to connect, which must fail: refused or unanswered. */
export function isClosed(
  { address, port }: { readonly address: string; readonly port: number },
  milliseconds = CONNECT_MS,
): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const socket = connect({ host: address, port });
  const end = (outcome: Outcome) => {
    socket.destroy();
    resolve(outcome);
  };
  socket.setTimeout(milliseconds, () => end({ ok: true, text: "no answer" }));
  socket.once("connect", () => end({ ok: false, text: `this machine could connect to ${address}:${port}` }));
  socket.once("error", ({ code, message }: NodeJS.ErrnoException) => {
    const closed =
      code === "ECONNREFUSED" || code === "ETIMEDOUT" || code === "ECONNRESET" || code === "EHOSTUNREACH";
    end(closed ? { ok: true, text: `no connection (${code})` } : { ok: undefined, text: message });
  });
  return promise;
}
