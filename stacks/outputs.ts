import { quote } from "#transport/command.ts";

/** What a stack tells of a service, beside its key. */
export interface Served {
  readonly url: string;
  readonly model: string;
  /** Whether it asks for a key, which is then the stack output `<name>-apiKey`. */
  readonly secured: boolean;
}

/**
 * A command that asks the service something. It fetches the key from the stack when it runs, so that it can
 * be shown, copied and logged without it.
 */
export function curlLine(stack: string, name: string, { url, model, secured }: Served): string {
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "Say hello." }] });
  const output = ["--stack", stack, "--show-secrets", `${name}-apiKey`].map(quote).join(" ");
  const key = `"Authorization: Bearer $(npx pulumi stack output ${output})"`;
  return [
    `curl ${quote(`${url}/chat/completions`)}`,
    ...(secured ? [`-H ${key}`] : []),
    "-H 'Content-Type: application/json'",
    `-d ${quote(body)}`,
  ].join(" ");
}
