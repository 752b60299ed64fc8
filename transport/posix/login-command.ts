import { quote } from "../command.ts";

/** How root is had from a login user. */
interface Sudo {
  /** sudo asks for the password with this text; `undefined`: it may not ask. */
  readonly prompt: string | undefined;
  /** sudo wants a terminal (`requiretty`). */
  readonly terminal: boolean;
}

/**
 * What sshd is asked to start: a root shell that first says on both streams, past all that login shells
 * print, that it is there. The nonce is broken in two so that a login shell that echoes the command (`set
 * -x`) does not say it. The text is read by the login shell, so it is what sh, fish and csh understand alike.
 */
export function loginCommand(nonce: string, user: string, { prompt, terminal }: Sudo): string {
  const word = `${nonce.slice(0, 8)}""${nonce.slice(8)}`;
  const shell = `echo ${word}; echo ${word} >&2; exec /bin/sh`;
  if (user === "root") return `exec /bin/sh -c ${quote(shell)}`;
  // In English, as what sudo says is read.
  const sudo = `exec env LC_ALL=C sudo ${prompt === undefined ? "-n" : `-S -p ${quote(prompt)}`} /bin/sh -c ${quote(shell)}`;
  return terminal ? onTerminal(sudo) : sudo;
}

/**
 * Gives a command a controlling terminal, which is what sudo looks for, while its stdin, stdout and stderr
 * stay the pipes they are: a terminal in between would change bytes and make one stream of two. script(1)
 * makes the terminal. The command goes in a variable, since quotes within quotes within quotes are not the
 * same in fish.
 */
function onTerminal(command: string): string {
  const piped = quote(`${command} <&7 >&8 2>&9 7<&- 8>&- 9>&-`);
  const inner = 'exec 7<&0 8>&1 9>&2; exec script -qec "$GPU_HOSTS_COMMAND" /dev/null </dev/null >/dev/null';
  return `exec env SHELL=/bin/sh GPU_HOSTS_COMMAND=${piped} /bin/sh -c ${quote(inner)}`;
}
