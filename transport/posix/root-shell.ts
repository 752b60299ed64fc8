import { randomBytes } from "node:crypto";
import type { ClientChannel } from "ssh2";
import { HostError, type HostName, withLastLines } from "../errors.ts";
import { greet } from "../greet.ts";
import type { Exec, Opener, ShellKind } from "../shells.ts";
import { posixShell } from "./dialect.ts";
import { loginCommand } from "./login-command.ts";

/** As whom a root shell is had. */
export interface RootLogin {
  readonly host: HostName;
  readonly user: string;
  readonly sudoPassword?: string | undefined;
}

/** sshd allows 10 sessions a connection; 6 were seen never to fail. One of them is kept for the lock. */
const maxWorkers = 5;

/** Root shells of a machine: the login's own, or sudo's. */
export const rootShells = (login: RootLogin): ShellKind => ({
  host: login.host,
  dialect: posixShell,
  most: maxWorkers,
  sessionHint: "look at MaxSessions in /etc/ssh/sshd_config and at its log: journalctl -u ssh -n 20",
  opener: () => rootOpener(login),
});

/**
 * Opens root shells, answering sudo's prompt. Rejects with `auth` where the password is wrong, with `refused`
 * where login or sudo gives no shell for another reason, naming the cure.
 */
export function rootOpener(login: RootLogin): Opener {
  // sudo wants a terminal here; found out by the first shell, known to the others.
  let terminal = false;
  return {
    // A password is tried once, not by all workers together: wrong ones may lock the account.
    firstAlone: login.sudoPassword !== undefined,
    async open(exec) {
      try {
        return await tryRootShell(login, terminal, exec);
      } catch (error) {
        if (terminal || !(error instanceof HostError) || !/must have a tty/.test(error.what)) throw error;
        terminal = true;
        return await tryRootShell(login, terminal, exec);
      }
    },
  };
}

async function tryRootShell(login: RootLogin, terminal: boolean, exec: Exec): Promise<ClientChannel> {
  const { host, user, sudoPassword } = login;
  const nonce = randomBytes(16).toString("hex");
  const prompt = sudoPassword === undefined ? undefined : { text: `sudo-${nonce}:`, answer: sudoPassword };
  const channel = await exec(loginCommand(nonce, user, { prompt: prompt?.text, terminal }));
  await greet(channel, {
    host,
    nonce,
    prompt,
    refusal: (said, asked) => refusal({ ...login, terminal }, said, asked),
  });
  return channel;
}

function refusal(login: RootLogin & { readonly terminal: boolean }, said: string, asked: number): HostError {
  const { host, user, sudoPassword } = login;
  const key = `credentials.${host.name}.sudoPassword`;
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
  if (asked > 1) return new HostError(host, "auth", `sudo refused the password of ${user}`, `correct ${key}`);
  // The words of sudo, and of sudo-rs.
  if (/password is required|terminal is required|authentication is required/.test(said)) {
    const hint = `set ${key} as a secret, or give ${user} a NOPASSWD rule in /etc/sudoers.d`;
    const what = withLastLines(`sudo asks ${user} for a password`, said);
    return new HostError(
      host,
      "refused",
      what,
      hint,
      undefined,
      sudoPassword === undefined ? "sudoPassword" : undefined,
    );
  }
  if (login.terminal && /script: .*(not found|No such file)/.test(said)) {
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

function refused({ host }: RootLogin, what: string, said: string, hint?: string): HostError {
  return new HostError(host, "refused", withLastLines(what, said), hint);
}
