import { request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { completionRequest, judgeCompletion } from "#facts/probes/openai.ts";
import { HostError } from "#transport/errors.ts";
import type { Outlook } from "#transport/outlook.ts";
import type { Outcome } from "./result.ts";

/** A service as the stack's outputs name it. */
export interface Service {
  readonly name: string;
  /** Base address without `/v1`. */
  readonly url: string;
  readonly model: string;
  readonly apiKey?: string;
}

/**
 * Where a client stands that is neither this machine nor the host: the last machine on the way to the host.
 */
export type JumpHost = Extract<Outlook, { from: "jump host" }>;

const completionMilliseconds = 120_000;
const connectMilliseconds = 3_000;

/**
 * Services among the outputs of a stack: entries of `services`, each with its key in the output
 * `<name>-apiKey`.
 */
export function servicesIn(outputs: Readonly<Record<string, unknown>>): readonly Service[] {
  return Object.entries(outputs.services ?? {}).flatMap(([name, output]) => {
    const { url, model } = (output ?? {}) as Record<string, unknown>;
    if (typeof url !== "string" || typeof model !== "string") return [];
    const apiKey = outputs[`${name}-apiKey`];
    const base = url.replace(/\/v1\/?$/, "");
    return [{ name, url: base, model, ...(typeof apiKey === "string" ? { apiKey } : {}) }];
  });
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function ask(
  service: Service,
  apiKey: string | undefined,
  jumpHost: JumpHost | undefined,
): Promise<Answer> {
  const { url, body } = completionRequest(service);
  const headers = {
    "content-type": "application/json",
    ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}),
  };
  const signal = AbortSignal.timeout(completionMilliseconds);
  if (jumpHost !== undefined) return await postThrough(jumpHost, url, { headers, body, signal });
  const response = await fetch(url, { method: "POST", headers, body, signal });
  return { status: response.status, text: await response.text() };
}

interface Post {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

/** A connection that the jump host makes carries the request. */
async function postThrough(
  jumpHost: JumpHost,
  url: string,
  { headers, body, signal }: Post,
): Promise<Answer> {
  const tried = await jumpHost.connect(portOf(url));
  if (tried.state !== "open") throw new Error(tried.why);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const asked = request(url, {
    method: "POST",
    headers: { ...headers, connection: "close" },
    signal,
    createConnection: () => tried.stream,
  });
  asked.on("error", reject).on("response", (response) => {
    text(response).then((said) => resolve({ status: response.statusCode ?? 0, text: said }), reject);
  });
  asked.end(body);
  return await promise.finally(() => tried.stream.destroy());
}

const portOf = (url: string) => Number(new URL(url).port || 80);

/** What kept fetch from an answer: its own message is only "fetch failed". */
function reason(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message ? cause.message : message;
}

const from = (jumpHost: JumpHost | undefined) => jumpHost?.name ?? "this machine";

/** Asks for a completion with the key, from this machine or through a jump host. */
export async function completes(service: Service, jumpHost?: JumpHost): Promise<Outcome> {
  try {
    const { status, text } = await ask(service, service.apiKey, jumpHost);
    const verdict = judgeCompletion(status, text);
    return { ok: verdict.state === "ok", text: verdict.text };
  } catch (error) {
    if (error instanceof HostError) return { ok: undefined, text: error.message };
    return { ok: false, text: `no answer at ${service.url} from ${from(jumpHost)}: ${reason(error)}` };
  }
}

/** Asks for a completion without the key, which must be refused. */
export async function refusesStrangers(service: Service, jumpHost?: JumpHost): Promise<Outcome> {
  try {
    const { status } = await ask(service, undefined, jumpHost);
    const refused = status === 401 || status === 403;
    return {
      ok: refused,
      text: refused ? `refused (HTTP ${status})` : `answered HTTP ${status} without a key`,
    };
  } catch (error) {
    return { ok: undefined, text: `no answer at ${service.url} from ${from(jumpHost)}: ${reason(error)}` };
  }
}

/**
 * Has a jump host try to connect, which must fail: refused or unanswered. The host's SSH port is tried beside
 * it, so that a jump host that is slow or has lost the host is not taken for a closed port.
 */
export async function isClosedTo(
  jumpHost: JumpHost,
  port: number,
  milliseconds = connectMilliseconds,
): Promise<Outcome> {
  const { name, address, sshPort } = jumpHost;
  const trying = jumpHost.connect(port).then(released);
  const control = jumpHost.connect(sshPort).then(released);
  const over = new AbortController();
  const patience = control.then(() => sleep(milliseconds, undefined, { signal: over.signal }));
  const tried = await Promise.race([trying, patience]).finally(() => over.abort());
  if (tried?.state === "open") return { ok: false, text: `${name} could connect to ${address} port ${port}` };
  if (tried?.state === "closed") return { ok: true, text: `no connection from ${name} (${tried.why})` };
  const { state, why } = await control;
  if (state === "open") return { ok: true, text: `no answer to ${name}` };
  return { ok: undefined, text: `${name} does not reach ${address} port ${sshPort} either (${why})` };
}

/** What came of a try, whose connection is not kept. */
function released(tried: Awaited<ReturnType<JumpHost["connect"]>>) {
  if (tried.state !== "open") return tried;
  tried.stream.destroy();
  return { state: tried.state, why: "it answered" };
}

/** Tries to connect, which must fail: refused or unanswered. */
export function isClosed(
  { address, port }: { readonly address: string; readonly port: number },
  milliseconds = connectMilliseconds,
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
