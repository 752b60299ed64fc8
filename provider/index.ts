import { fstatSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import provrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { createProvider } from "./adapter/provider.ts";
import { listenForOwnUser } from "./listen.ts";

/** State of a large stack travels in one message; gRPC's own limit is 4 MB. */
const maxMessageBytes = 400 * 1024 * 1024;

/**
 * Takes the decrypted configuration out of the environment, so that no child process of ours inherits its
 * secrets.
 */
function takeConfig(): Record<string, unknown> | undefined {
  const text = process.env.PULUMI_CONFIG;
  delete process.env.PULUMI_CONFIG;
  delete process.env.PULUMI_CONFIG_SECRET_KEYS;
  return text ? JSON.parse(text) : undefined;
}

const { service, close } = createProvider(takeConfig());
const server = new grpc.Server({
  "grpc.max_receive_message_length": maxMessageBytes,
  "grpc.max_send_message_length": maxMessageBytes,
});
server.addService(provrpc.ResourceProviderService, service);

function exit(): never {
  close();
  process.exit(0);
}

// The engine ends us with SIGINT once nothing is under way, and kills what has not gone 5 s later. The
// operator's Ctrl-C does not come this way: we are in a process group of our own, and the engine turns it
// into Cancel.
process.on("SIGINT", exit);
process.on("SIGTERM", exit);
// The engine holds our stdin open: its end is the engine's end, however that came. A plugin runner gives
// /dev/null.
const stdin = fstatSync(0);
if (stdin.isFIFO() || stdin.isSocket()) process.stdin.resume().on("end", exit);

try {
  process.stdout.write(`${await listenForOwnUser(server)}\n`);
} catch (error) {
  process.stderr.write(`gpuhost provider: ${(error as Error).message}\n`);
  process.exit(1);
}
