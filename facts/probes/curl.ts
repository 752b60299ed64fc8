import { type ShellCommand, sh } from "#transport/command.ts";
import type { Finished } from "#transport/host.ts";

export interface Request {
  readonly url: string;
  /** JSON text to post; a GET without it. */
  readonly body?: string;
  /** File on the host whose first line is sent as bearer token. */
  readonly apiKeyFile?: string | undefined;
  /** @default 60 */
  readonly timeoutSeconds?: number;
}

/** What a server answered; `status` 0 means no HTTP answer, `error` then says why. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly error: string;
}

/**
 * Shell text that asks and leaves `code`, `error` and `body` in variables. The key goes from its file into
 * curl's stdin: on a command line every user of the host could read it. How long a failure took is cut from
 * its text: a wait takes a text that changes for progress.
 */
export function curlInto(request: Request): ShellCommand {
  const limit = request.timeoutSeconds ?? 60;
  const key = request.apiKeyFile
    ? sh`sed -n '1{s/[\\\\"]/\\\\&/g;s/.*/header = "Authorization: Bearer &"/p}' ${request.apiKeyFile}`
    : sh`true`;
  const post = request.body
    ? sh`--header 'Content-Type: application/json' --data-raw ${request.body}`
    : sh`--get`;
  return sh`answer=$(${key} | curl --config - --silent --noproxy '*' --connect-timeout 5 --max-time ${limit} --write-out '\\n%{http_code} %{errormsg}' ${post} ${request.url} 2>/dev/null)
last=$(printf '%s\\n' "$answer" | tail -n 1); code=\${last%% *}; error=$(printf '%s\\n' "\${last#* }" | sed 's/ after [0-9]* m[a-z]*//'); body=$(printf '%s\\n' "$answer" | sed '$d')`;
}

/** Asks and prints the answer for {@link parseAnswer}. */
export const curl = (request: Request): ShellCommand =>
  sh`${curlInto(request)}
printf '%s %s\\n%s\\n' "$code" "$error" "$body"`;

/** Reads what {@link curl} printed. */
export function parseAnswer({ stdout }: Finished): Answer {
  const [, status, error = ""] = /^(\d{3}) ?(.*)/.exec(stdout) ?? [];
  if (status === undefined) throw new Error("curl did not run; is it installed on the host?");
  return { status: Number(status), error: error.trim(), body: stdout.slice(stdout.indexOf("\n") + 1).trim() };
}
