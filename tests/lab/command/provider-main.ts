import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual, promisify } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import * as provider from "@pulumi/pulumi/provider/index.js";

/**
 * Stands for the plugin of @pulumi/command, whose binary comes from Pulumi's download only: `remote.Command`
 * as far as `extraCommands` use it. It logs in with the key in its inputs, and fails where the machine does
 * not answer.
 */

interface Connection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly privateKey: string;
}

interface Inputs {
  /** A secret, as its key is one. */
  readonly connection: unknown;
  readonly create?: string;
  readonly update?: string;
  readonly delete?: string;
  readonly triggers?: readonly string[];
}

async function ssh({ connection }: Inputs, command: string): Promise<void> {
  const { host, port, user, privateKey } = pulumi.runtime.unwrapRpcSecret(connection) as Connection;
  const folder = mkdtempSync(join(tmpdir(), "command-"));
  const identity = join(folder, "key");
  writeFileSync(identity, privateKey, { mode: 0o600 });
  const options = [
    "BatchMode=yes",
    "ConnectTimeout=5",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
  ].flatMap((option) => ["-o", option]);
  try {
    const args = ["-F", "none", "-q", ...options, "-i", identity, "-p", String(port), `${user}@${host}`];
    await promisify(execFile)("ssh", [...args, command]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const { version } = createRequire(import.meta.url)("@pulumi/command/package.json");

const remoteCommand: provider.Provider = {
  version,
  check: async (_urn, _olds, news) => ({ inputs: news }),
  diff: async (_id, _urn, olds: Inputs, news: Inputs) => ({
    changes: (["connection", "create", "update", "delete", "triggers"] as const).some(
      (key) => !isDeepStrictEqual(olds[key], news[key]),
    ),
  }),
  async create(_urn, inputs: Inputs) {
    await ssh(inputs, inputs.create ?? "true");
    return { id: "command", outs: inputs };
  },
  async update(_id, _urn, _olds, news: Inputs) {
    await ssh(news, news.update ?? news.create ?? "true");
    return { outs: news };
  },
  async delete(_id, _urn, props: Inputs) {
    if (props.delete) await ssh(props, props.delete);
  },
};

await provider.main(remoteCommand, process.argv.slice(2));
