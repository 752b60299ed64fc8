import { randomBytes } from "node:crypto";
import type { ClientChannel } from "ssh2";
import { HostError, lastLines, type Subject } from "./errors.ts";
import { FrameReader } from "./frames.ts";
import { loginCommand } from "./script.ts";

/** As whom a root shell is had. */
export interface Login {
  readonly subject: Subject;
  readonly user: string;
  readonly sudoPassword?: string | undefined;
  /** sudo wants a terminal here; found out by the first shell, known to the others. */
  terminal?: boolean;
}

/** A root shell that waits for text on its stdin. */
export interface RootShell {
  readonly channel: ClientChannel;
  /** Random; marks the end of an answer on both streams. */
  readonly nonce: string;
}

const LOGIN_SECONDS = 20;

/**
 * Starts a root shell on a new channel and waits for its first word, skipping what login shells print and answering sudo's
 * prompt. Rejects with `auth` where the password is wrong, with `refused` where login or sudo gives no shell for another
 * reason, naming the cure; with the error of `exec` where no channel opens.
 */
export async function openRootShell(
  login: Login,
  exec: (command: string) => Promise<ClientChannel>,
): Promise<RootShell> {
  try {
    return await tryRootShell(login, exec);
  } catch (error) {
    if (login.terminal === true || !(error instanceof HostError) || !/must have a tty/.test(error.what))
      throw error;
    login.terminal = true;
    return await tryRootShell(login, exec);
  }
}

async function tryRootShell(
  login: Login,
  exec: (command: string) => Promise<ClientChannel>,
): Promise<RootShell> {
  const nonce = randomBytes(16).toString("hex");
  const prompt = login.sudoPassword === undefined ? undefined : `sudo-${nonce}:`;
  const channel = await exec(loginCommand(nonce, login.user, { prompt, terminal: login.terminal === true }));
  const out = new FrameReader(nonce);
  const err = new FrameReader(nonce);
  let greeted = 0;
  let asked = 0;
  const greet = () => {
    greeted += 1;
  };
  const said = () => `${out.pending}\n${err.pending.toString().replaceAll(prompt ?? "\0", "")}`;

  await new Promise<void>((resolve, reject) => {
    const answerPrompt = () => {
      if (prompt === undefined || !err.pending.toString().endsWith(prompt)) return;
      asked += 1;
      if (asked > 1) return channel.close();
      err.forget();
      channel.write(`${login.sudoPassword}\n`);
    };
    const onOut = (chunk: Buffer) => {
      out.push(chunk, greet);
      if (greeted === 2) finish(resolve);
    };
    const onErr = (chunk: Buffer) => {
      err.push(chunk, greet);
      answerPrompt();
      if (greeted === 2) finish(resolve);
    };
    const onClose = () => finish(() => reject(refusal(login, asked, said())));
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      channel.off("data", onOut).off("close", onClose).stderr.off("data", onErr);
      settle();
    };
    const timer = setTimeout(() => {
      finish(() => reject(refused(login, `no shell within ${LOGIN_SECONDS} s of the login`, said())));
      channel.close();
    }, LOGIN_SECONDS * 1000);
    channel
      .on("data", onOut)
      .on("close", onClose)
      .on("error", () => channel.close());
    channel.stderr.on("data", onErr);
  });
  return { channel, nonce };
}

function refusal(login: Login, asked: number, said: string): HostError {
  const { subject, user, sudoPassword } = login;
  const key = `credentials.${subject.name}.sudoPassword`;
  if (/account is currently not available|nologin/.test(said))
    return refused(
      login,
      `the login shell of ${user} lets nobody in`,
      said,
      "give it one: usermod -s /bin/bash there",
    );
  if (/password has expired|is expired|[Pp]assword change required/.test(said)) {
    const hint = `set a new one: log in as ${user} by hand, or there as root: passwd ${user}`;
    return refused(
      login,
      `the password of ${user} has expired, and the host asks for a new one first`,
      said,
      hint,
    );
  }
  if (user === "root") return refused(login, "the login gave no shell", said);
  if (asked > 1)
    return new HostError(subject, "auth", `sudo refused the password of ${user}`, `correct ${key}`);
  // The words of sudo, and of sudo-rs.
  if (/password is required|terminal is required|authentication is required/.test(said)) {
    const hint = `set ${key} as a secret, or give ${user} a NOPASSWD rule in /etc/sudoers.d`;
    return refused(login, `sudo asks ${user} for a password`, said, hint);
  }
  if (login.terminal === true && /script: .*(not found|No such file)/.test(said)) {
    const hint = `install it (package bsdutils), or let sudo do without: \`Defaults:${user} !requiretty\` in /etc/sudoers.d`;
    return refused(
      login,
      "sudo wants a terminal, and the script command that would make one is not there",
      said,
      hint,
    );
  }
  if (/not in the sudoers file|not allowed to (execute|run)/.test(said)) {
    const hint = `log in as root, or allow it: usermod -aG sudo ${user}, or a rule in /etc/sudoers.d`;
    return refused(
      login,
      `${user} may not use sudo${sudoPassword === undefined ? "" : " (the password was right)"}`,
      said,
      hint,
    );
  }
  const hint = `log in as root, or install sudo and allow it to ${user}`;
  return refused(login, `sudo gave ${user} no root shell`, said, hint);
}

function refused({ subject }: Login, what: string, said: string, hint?: string): HostError {
  const lines = lastLines(said);
  return new HostError(subject, "refused", lines === "" ? what : `${what}\n${lines}`, hint);
}
