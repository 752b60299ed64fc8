import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectOf, pulumi } from "#scripts/pulumi/pulumi.ts";
import { parseYaml, setIn } from "#scripts/stack/yaml-edit.ts";
import type { Encrypted } from "./new-service.ts";

/** Secrets as a stack file holds them, and the text of the file with what decrypts them. */
export interface EncryptedSecrets<V> {
  readonly secrets: { readonly [name in keyof V]: Encrypted };
  /** The same text, where the stack had no secrets before with the salt or key of its provider. */
  readonly text: string;
}

/**
 * Has Pulumi encrypt values for a stack. It works on a copy of the stack file, because it would write the
 * file itself in its own way, and gets each value on stdin.
 */
export async function encrypt<V extends Readonly<Record<string, string>>>(
  stack: string,
  text: string,
  values: V,
): Promise<EncryptedSecrets<V>> {
  const folder = mkdtempSync(join(tmpdir(), "gpu-hosts-secrets-"));
  const file = join(folder, "stack.yaml");
  try {
    writeFileSync(file, text, { mode: 0o600 });
    const scratch = "gpu-hosts:encrypting";
    for (const [name, value] of Object.entries(values)) {
      const args = [
        "config",
        "set",
        "--stack",
        stack,
        "--config-file",
        file,
        "--secret",
        `${scratch}-${name}`,
      ];
      await pulumi(projectOf(stack), args, value);
    }
    const { config, ...provider } = parseYaml(readFileSync(file, "utf8")).toJS() as {
      config: Record<string, Encrypted>;
    };
    const secrets = Object.fromEntries(
      Object.keys(values).map((name) => [name, config[`${scratch}-${name}`]]),
    ) as { [name in keyof V]: Encrypted };
    const before = (parseYaml(text).toJS() ?? {}) as Record<string, unknown>;
    const added = Object.entries(provider).filter(([key]) => !Object.hasOwn(before, key));
    return { secrets, text: added.reduce((all, [key, value]) => setIn(all, [key], value), text) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
