import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

/** A public key as a line of known_hosts has it. */
export interface PublicKey {
  /** Such as `ssh-ed25519`. */
  readonly type: string;
  /** In base64. */
  readonly blob: string;
}

/** The public keys by which a machine's SSH server proves who it is, from where sshd has them by default. */
export const hostKeys: Fact<readonly PublicKey[]> = {
  name: "SSH host keys",
  command: sh`cat /etc/ssh/ssh_host_*_key.pub`,
  parse: ({ stdout }) =>
    stdout.split("\n").flatMap((line) => {
      const [type, blob] = line.split(" ");
      return type && blob ? [{ type, blob }] : [];
    }),
};
