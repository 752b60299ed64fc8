import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import type plugproto from "@pulumi/pulumi/proto/plugin_pb.js";
import provrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import emptyproto from "google-protobuf/google/protobuf/empty_pb.js";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createProvider } from "./adapter/provider.ts";
import { listenForOwnUser } from "./listen.ts";

let server: grpc.Server;
let clients: grpc.Client[];
let said: string[];

beforeEach(() => {
  server = new grpc.Server();
  server.addService(provrpc.ResourceProviderService, createProvider({}).service);
  clients = [];
  said = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const client of clients) client.close();
  server.forceShutdown();
});

/** Asks over a connection of its own, which stays open. */
async function ask(port: number): Promise<string> {
  const client = new provrpc.ResourceProviderClient(
    `127.0.0.1:${port}`,
    grpc.credentials.createInsecure(),
    // Without it, gRPC would put both clients on one connection.
    { "grpc.use_local_subchannel_pool": 1 },
  );
  clients.push(client);
  const call = promisify<emptyproto.Empty, plugproto.PluginInfo>(client.getPluginInfo.bind(client));
  return call(new emptyproto.Empty()).then(
    (info) => info.getVersion(),
    (error: grpc.ServiceError) => grpc.status[error.code] ?? "",
  );
}

test.skipIf(process.platform !== "linux")(
  "where the system tells whose a connection is, our own are all answered",
  async () => {
    const port = await listenForOwnUser(server, "linux");
    expect(await ask(port)).toMatch(/^\d/);
    expect(await ask(port)).toMatch(/^\d/);
    expect(said).toEqual([]);
  },
);

test("where it does not, one at a time is: somebody beside the engine is refused, the engine's next one is not", async () => {
  const port = await listenForOwnUser(server, "darwin");
  expect(await ask(port)).toMatch(/^\d/);
  expect(await ask(port)).toBe("PERMISSION_DENIED");
  expect(said).toEqual([expect.stringContaining("refused a connection of somebody beside the engine")]);
  clients[0]?.close();
  await expect.poll(() => ask(port)).toMatch(/^\d/);
});
