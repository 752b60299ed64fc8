import type { ClientChannel } from "ssh2";
import { HostError, type HostName, withLastLines } from "./errors.ts";
import { FrameReader } from "./frames.ts";

/** How the first word of a shell is waited for. */
export interface Greeting {
  readonly host: HostName;
  /** What the shell says on both streams as soon as it is there. */
  readonly nonce: string;
  /** A question on stderr that may come before, and its answer, which is given once. */
  readonly prompt?: { readonly text: string; readonly answer: string } | undefined;
  /**
   * Words why the channel closed without a greeting. @param said on both streams @param asked how often the
   * prompt came
   */
  refusal(said: string, asked: number): HostError;
}

const greetingSeconds = 20;
const greetingLimit = 1024 * 1024;

/**
 * Waits on a new channel until a shell has said on both streams that it is there, past all that login shells
 * print. Resolves with what stood behind the nonce on stdout. Rejects with the `refusal` if the channel
 * closes before.
 */
export async function greet(
  channel: ClientChannel,
  { host, nonce, prompt, refusal }: Greeting,
): Promise<string> {
  const out = new FrameReader(nonce, greetingLimit);
  const err = new FrameReader(nonce, greetingLimit);
  let greeting: string | undefined;
  let greetedToo = false;
  let asked = 0;
  const said = () => `${out.pending}\n${err.pending.toString().replaceAll(prompt?.text ?? "\0", "")}`;

  return await new Promise((resolve, reject) => {
    const answerPrompt = () => {
      if (prompt === undefined || !err.pending.toString().endsWith(prompt.text)) return;
      asked += 1;
      if (asked > 1) return channel.close();
      err.forget();
      channel.write(`${prompt.answer}\n`);
    };
    const onOut = (chunk: Buffer) => {
      out.push(chunk, ({ trailer }) => {
        greeting = trailer;
      });
      settle();
    };
    const onErr = (chunk: Buffer) => {
      err.push(chunk, () => {
        greetedToo = true;
      });
      answerPrompt();
      settle();
    };
    const settle = () => {
      const about = greeting;
      if (about !== undefined && greetedToo) finish(() => resolve(about));
    };
    const onClose = () => finish(() => reject(refusal(said(), asked)));
    const finish = (end: () => void) => {
      clearTimeout(timer);
      channel.off("data", onOut).off("close", onClose).stderr.off("data", onErr);
      end();
    };
    const timer = setTimeout(() => {
      const what = `no shell within ${greetingSeconds} s of the login`;
      finish(() => reject(new HostError(host, "refused", withLastLines(what, said()))));
      channel.close();
    }, greetingSeconds * 1000);
    channel
      .on("data", onOut)
      .on("close", onClose)
      .on("error", () => channel.close());
    channel.stderr.on("data", onErr);
  });
}
