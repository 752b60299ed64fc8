import { type Command, quote } from "./command.ts";

// The kernel refuses a single argument above 128 KiB; longer scripts go to `sh` through a file descriptor instead.
const LONGEST_ARGUMENT = 100_000;

/** Seconds between the polite and the forced end of a command that ran out of time. */
const KILL_AFTER = 5;

/** Prepares a fresh worker shell: environment, and `e`, which ends a frame on both streams with the last exit code. */
export function prologue(nonce: string): string {
  return [
    "export HOME=/root LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "umask 022",
    "cd /",
    `e() { printf '%s %s\\n' ${nonce} $?; printf '%s\\n' ${nonce} >&2; }`,
    "",
  ].join("\n");
}

/** What a shell is given. A script call is for a host of another system. */
export function shellTextOf(command: Command): string {
  if ("text" in command) return command.text;
  throw new Error(`${command.script.name} is a PowerShell script, which a POSIX shell cannot run`);
}

/**
 * The text a worker shell is given for one command. `timeout` ends the command and its process group. The braces make the
 * shell read all of it before it starts: if the connection breaks half-way, nothing of it is run, least of all with half
 * of its stdin (a shell takes the end of its input as the end of a here-document).
 */
export function wrapped(
  command: Command,
  nonce: string,
  timeoutSeconds: number,
  stdin?: string | Uint8Array,
): string {
  const text = shellTextOf(command);
  const documents: string[] = [];
  const document = (text: string) => {
    const end = `${nonce}-${documents.length}`;
    documents.push(`${text}\n${end}\n`);
    return `<<'${end}'`;
  };
  const input = stdin === undefined || stdin.length === 0 ? undefined : Buffer.from(stdin).toString("base64");
  const before = input === undefined ? "" : `base64 -d ${document(input)} | `;
  const after = input === undefined ? " </dev/null" : "";
  const limit = `timeout -k ${KILL_AFTER} ${timeoutSeconds}`;
  const child =
    Buffer.byteLength(text) <= LONGEST_ARGUMENT
      ? `${limit} sh -c ${quote(text)}`
      : `${limit} sh /dev/fd/3 3${document(`exec 3<&-\n${text}`)}`;
  return `{ ${before}${child}${after}\n${documents.join("")}}; e\n`;
}

/** How root is had from a login user. */
export interface Sudo {
  /** sudo asks for the password with this text; `undefined`: it may not ask. */
  readonly prompt: string | undefined;
  /** sudo wants a terminal (`requiretty`). */
  readonly terminal: boolean;
}

/**
 * What sshd is asked to start: a root shell that first says on both streams, past all that login shells print, that it is
 * there. The nonce is broken in two so that a login shell that echoes the command (`set -x`) does not say it. The text is
 * read by the login shell, so it is what sh, fish and csh understand alike.
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
 * Gives a command a controlling terminal, which is what sudo looks for, while its stdin, stdout and stderr stay the pipes they
 * are: a terminal in between would change bytes and make one stream of two. script(1) makes the terminal. The command goes in
 * a variable, since quotes within quotes within quotes are not the same in fish.
 */
function onTerminal(command: string): string {
  const piped = quote(`${command} <&7 >&8 2>&9 7<&- 8>&- 9>&-`);
  const inner = 'exec 7<&0 8>&1 9>&2; exec script -qec "$GPU_HOSTS_COMMAND" /dev/null </dev/null >/dev/null';
  return `exec env SHELL=/bin/sh GPU_HOSTS_COMMAND=${piped} /bin/sh -c ${quote(inner)}`;
}
