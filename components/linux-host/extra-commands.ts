import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

/** A command of the operator's own, for what gpu-hosts has no resource. */
export interface ExtraCommand {
  readonly name: string;
  readonly create: string;
  readonly update?: string | undefined;
  readonly delete?: string | undefined;
  readonly triggers: readonly string[];
}

/** How @pulumi/command reaches a machine: it connects by itself, past the provider of gpu-hosts. */
export interface Login {
  readonly address: string;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  /** Private key file; the ssh-agent is used where neither it nor a key is given. */
  readonly identityFile?: string | undefined;
  readonly privateKey?: string | undefined;
  readonly passphrase?: string | undefined;
}

function connectionOf({ address, port = 22, user = "root", identityFile, privateKey, passphrase }: Login) {
  const key =
    privateKey ?? (identityFile && readFileSync(identityFile.replace(/^~(?=\/)/, homedir()), "utf8"));
  return {
    host: address,
    port,
    user,
    ...(key ? { privateKey: pulumi.secret(key) } : {}),
    ...(key && passphrase ? { privateKeyPassword: pulumi.secret(passphrase) } : {}),
  };
}

/** Declares an operator's commands, one after the other in the order in which they are written. */
export function declareExtraCommands(
  host: string,
  login: Login,
  commands: readonly ExtraCommand[],
  opts: pulumi.CustomResourceOptions & { readonly dependsOn: readonly pulumi.Resource[] },
): pulumi.Resource[] {
  if (commands.length === 0) return [];
  const connection = connectionOf(login);
  const declared: pulumi.Resource[] = [];
  for (const { name, create, update, delete: remove, triggers } of commands) {
    const args = {
      create,
      ...(update ? { update } : {}),
      ...(remove ? { delete: remove } : {}),
      triggers: [...triggers],
    };
    declared.push(
      new command.remote.Command(
        `${host}-${name}`,
        { connection, ...args },
        { ...opts, dependsOn: [...opts.dependsOn, ...declared] },
      ),
    );
  }
  return declared;
}

/**
 * Declares commands of a machine that does not exist any more, so that the engine forgets them: it calls no
 * `delete` of a resource whose state says so, and would else try to reach the machine when they are taken
 * out. Nothing of them may change, since that would connect as well.
 */
export function forgetExtraCommands(
  host: string,
  { address }: Login,
  commands: readonly ExtraCommand[],
  parent: pulumi.Resource,
): void {
  const ignoreChanges = ["connection", "create", "update", "delete", "triggers"];
  declareExtraCommands(host, { address }, commands, {
    parent,
    dependsOn: [],
    retainOnDelete: true,
    ignoreChanges,
  });
}
