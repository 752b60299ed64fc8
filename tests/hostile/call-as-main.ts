import { once } from "node:events";
import http2 from "node:http2";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

// A call of the provider by one of the machine's users. Root's process becomes that user once it has loaded
// what it needs. Prints the gRPC status; or sends the call, closes the socket without waiting for an answer
// and prints "left".
const [user, address = "", port = "", method = "", message = "", leave] = process.argv.slice(2);

process.setgroups?.([]);
process.setgid?.(Number(user));
process.setuid?.(Number(user));

const socket = connect(Number(port), address);
const session = http2.connect("http://provider", { createConnection: () => socket });
session.on("error", (error) => console.log(`session: ${error.message}`));
const stream = session.request({
  ":method": "POST",
  ":path": `/pulumirpc.ResourceProvider/${method}`,
  "content-type": "application/grpc",
  te: "trailers",
});
const body = Buffer.from(message, "base64");
const length = Buffer.alloc(5);
length.writeUInt32BE(body.length, 1);
stream.end(Buffer.concat([length, body]));

if (leave) {
  await once(socket, "connect");
  // Until the kernel has it all.
  while (socket.bytesWritten < body.length || socket.writableLength > 0) await sleep(20);
  socket.destroy();
  console.log("left");
} else {
  let status: unknown;
  stream.on("response", (headers) => {
    status = headers["grpc-status"];
  });
  stream.on("trailers", (headers) => {
    status = headers["grpc-status"];
  });
  stream.on("error", (error) => console.log(`call: ${error.message}`));
  stream.resume();
  await once(stream, "close");
  console.log(`status ${status}`);
  session.destroy();
}
