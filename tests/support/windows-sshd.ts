import { once } from "node:events";
import type { AddressInfo } from "node:net";
import ssh2 from "ssh2";

/** An SSH server that says it is a Windows PC's, and lets nobody in. */
export async function startWindowsSshd(): Promise<{ readonly port: number; close(): Promise<void> }> {
  // Not ed25519: of those that ssh2 makes, one in 300 cannot be read by ssh2 itself.
  const { private: hostKey } = ssh2.utils.generateKeyPairSync("ecdsa", { bits: 256 });
  const server = new ssh2.Server({ ident: "OpenSSH_for_Windows_9.5", hostKeys: [hostKey] }, (client) => {
    client.on("error", () => undefined).on("authentication", (attempt) => attempt.reject());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
