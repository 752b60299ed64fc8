import http2 from "node:http2";
import { createServer, type Socket } from "node:net";
import grpc from "@grpc/grpc-js";
import { peerUser } from "./peer-user.ts";

/** How long somebody else may keep a connection to read that it is refused. */
const refusalMilliseconds = 5_000;

/**
 * Lets gRPC calls in on a port of 127.0.0.1 that every user of the machine can connect to, but only those of
 * our own user, for they act on the hosts as root. Others get PERMISSION_DENIED, and stderr, which the engine
 * shows, tells of the first. Asked once a connection.
 *
 * @param platform where the system does not tell whose a connection is, one at a time is let in
 * @returns the port
 */
export function listenForOwnUser(server: grpc.Server, platform = process.platform): Promise<number> {
  const calls = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  const refuse = refusals();
  const stranger = platform === "linux" ? strangerOnLinux : oneAtATime();
  const listener = createServer((socket) => {
    const who = stranger(socket);
    if (who === undefined) calls.injectConnection(socket);
    else refuse(socket, who);
  });
  return new Promise((resolve, reject) => {
    listener.on("error", reject);
    listener.listen(0, "127.0.0.1", () => resolve((listener.address() as { port: number }).port));
  });
}

/** Who is at the other end, in words, unless that is our own user. */
function strangerOnLinux(socket: Socket): string | undefined {
  const user = peerUser(socket);
  if (user === process.geteuid?.()) return undefined;
  return user === undefined ? "somebody who has gone or whom /proc/net/tcp does not show" : `user ${user}`;
}

/**
 * Where the system does not tell whose a connection is: the engine connects first, and while it is there
 * nobody else may.
 */
function oneAtATime() {
  let engine: Socket | undefined;
  return (socket: Socket): string | undefined => {
    if (engine && !engine.destroyed) return "somebody beside the engine";
    engine = socket;
    return undefined;
  };
}

/** Answers each call with PERMISSION_DENIED, before any of its content is looked at. */
function refusals() {
  const server = http2.createServer();
  let told = false;
  server.on("stream", (stream) => {
    stream.on("error", () => undefined);
    const status = {
      "content-type": "application/grpc",
      "grpc-status": grpc.status.PERMISSION_DENIED,
      "grpc-message": "gpuhost answers only the user it runs as",
    };
    stream.respond({ ":status": 200, ...status }, { endStream: true });
  });
  return (socket: Socket, who: string): void => {
    if (!told)
      process.stderr.write(
        `gpuhost provider: refused a connection of ${who}: only our own user is answered (SECURITY.md).\n`,
      );
    told = true;
    setTimeout(() => socket.destroy(), refusalMilliseconds).unref();
    server.emit("connection", socket);
  };
}
