import { type Command, quote, sh, shownCommand } from "../command.ts";
import type { Assignment, Dialect } from "../dialect.ts";

// The kernel refuses a single argument above 128 KiB; longer scripts go to `sh` through a file descriptor
// instead.
const longestArgument = 100_000;

/** Seconds between the polite and the forced end of a command that ran out of time. */
const killAfter = 5;

/** What is said to `/bin/sh`: its own language, read from stdin. */
export const posixShell: Dialect = {
  nothing: sh`:`,
  check(command) {
    // A NUL would end the text early; `\0` in a template literal is one, which is easily written by mistake.
    if (shellTextOf(command).includes("\0"))
      throw new Error(`a command cannot hold a NUL byte (for printf write \\\\0): ${shownCommand(command)}`);
  },
  converse: (nonce) => ({
    first: prologue(nonce),
    request: (assignment) => wrapped(assignment, nonce),
    statement: (command) => `{ ${shellTextOf(command)}\n}; e\n`,
    answer: (raw) => raw,
    line: (text) => text,
    // What timeout(1) exits with, at its limit and where it had to kill.
    mayBeLimit: (exitCode) => exitCode === 124 || exitCode === 137,
  }),
};

/**
 * What a host's own environment may tell our commands: the way out of its network. All else is ours, since
 * `POSIXLY_CORRECT`, `TAR_OPTIONS` and their like change what commands mean.
 */
const keptVariables = [
  ...["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"].flatMap((name) => [
    name,
    name.toUpperCase(),
  ]),
  "CURL_CA_BUNDLE",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
];

/**
 * Prepares a fresh worker shell: environment, and `e`, which ends a frame on both streams with the last exit
 * code.
 */
function prologue(nonce: string): string {
  return [
    "export HOME=/root LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    // In place of `env -i`, whose arguments anybody could read: a proxy's address may hold a password. What bash
    // as sh marks read-only cannot be unset, and is no reason to end.
    `for v in $(env | sed -n 's/^\\([A-Za-z_][A-Za-z0-9_]*\\)=.*/\\1/p'); do`,
    `  case $v in HOME|LC_ALL|PATH|PWD|${keptVariables.join("|")}) ;; *) command unset "$v" 2>/dev/null ;; esac`,
    "done",
    "umask 022",
    "cd /",
    `e() { printf '%s %s\\n' ${nonce} $?; printf '%s\\n' ${nonce} >&2; }`,
    "",
  ].join("\n");
}

/** What a shell is given. A script call is for a host of another system. */
function shellTextOf(command: Command): string {
  if ("text" in command) return command.text;
  throw new Error(`${command.script.name} is a PowerShell script, which a POSIX shell cannot run`);
}

/**
 * The text a worker shell is given for one command. `timeout` ends the command and its process group. The
 * braces make the shell read all of it before it starts: if the connection breaks half-way, nothing of it is
 * run, least of all with half of its stdin (a shell takes the end of its input as the end of a
 * here-document).
 */
function wrapped({ command, timeoutSeconds, stdin }: Assignment, nonce: string): string {
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
  const limit = `timeout -k ${killAfter} ${timeoutSeconds}`;
  const child =
    Buffer.byteLength(text) <= longestArgument
      ? `${limit} sh -c ${quote(text)}`
      : `${limit} sh /dev/fd/3 3${document(`exec 3<&-\n${text}`)}`;
  return `{ ${before}${child}${after}\n${documents.join("")}}; e\n`;
}
