import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import engrpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type engproto from "@pulumi/pulumi/proto/engine_pb.js";
import provrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import provproto from "@pulumi/pulumi/proto/provider_pb.js";
import statusproto from "@pulumi/pulumi/proto/status_pb.js";
import emptyproto from "google-protobuf/google/protobuf/empty_pb.js";
import structproto from "google-protobuf/google/protobuf/struct_pb.js";

/** One line the provider sent to its engine. */
export interface LogLine {
  readonly urn: string;
  readonly message: string;
  readonly ephemeral: boolean;
  readonly warning: boolean;
}

/** An error of the provider as the engine understands it. */
export interface ProviderError extends Error {
  /** Set when the resource is to be recorded as unhealthy. */
  readonly initFailed?: { id: string; properties: Record<string, unknown>; inputs: Record<string, unknown> };
}

/** What the provider answered to one call. */
export interface Answer {
  readonly id: string;
  readonly inputs: Record<string, unknown>;
  readonly properties: Record<string, unknown>;
}

type Plain = Record<string, unknown>;

interface Responses {
  handshake: provproto.ProviderHandshakeResponse;
  configure: provproto.ConfigureResponse;
  check: provproto.CheckResponse;
  diff: provproto.DiffResponse;
  create: provproto.CreateResponse;
  read: provproto.ReadResponse;
  update: provproto.UpdateResponse;
  delete: unknown;
  cancel: unknown;
  getSchema: provproto.GetSchemaResponse;
}

const struct = (value: unknown) => structproto.Struct.fromJavaScript(value as never);
const plain = (value: { toJavaScript(): unknown } | undefined) => (value?.toJavaScript() ?? {}) as Plain;

/** What this side says of a header that is larger than Node's HTTP/2 takes. */
const tooLarge = "triggered by internal client error: Protocol error";

function decode(error: grpc.ServiceError): ProviderError {
  if (error.details.includes(tooLarge)) {
    const why =
      "what a failed resource has reached travels in a header, and Node's HTTP/2 takes none above 64 kB. " +
      "The real engine does: test it with that, as tests/lab/large-state.test.ts does";
    return new Error(`${error.details}: ${why}`);
  }
  const result = new Error(error.details) as Error & { initFailed?: unknown };
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (bytes instanceof Buffer) {
    const [detail] = statusproto.Status.deserializeBinary(bytes).getDetailsList();
    const failed = provproto.ErrorResourceInitFailed.deserializeBinary(
      detail?.getValue_asU8() ?? new Uint8Array(),
    );
    result.initFailed = {
      id: failed.getId(),
      properties: plain(failed.getProperties()),
      inputs: plain(failed.getInputs()),
    };
  }
  return result as ProviderError;
}

/**
 * Plays Pulumi's engine to a real provider process: speaks gRPC to it and listens to its log lines. `onLog`
 * may hold a line back by returning a promise; the provider waits for the answer before it performs the step
 * the line announces.
 */
export async function startEngine(
  config: Plain,
  options: { env?: NodeJS.ProcessEnv; onLog?: (line: LogLine) => Promise<void> | void } = {},
) {
  const logs: LogLine[] = [];
  const server = new grpc.Server();
  server.addService(
    engrpc.EngineService as never,
    {
      log: (call: { request: engproto.LogRequest }, answer: (e: null, r: unknown) => void) => {
        const { request } = call;
        const line = {
          urn: request.getUrn(),
          message: request.getMessage(),
          ephemeral: request.getEphemeral(),
          warning: request.getSeverity() === 2,
        };
        logs.push(line);
        void Promise.resolve(options.onLog?.(line)).then(() => answer(null, new emptyproto.Empty()));
      },
    } as never,
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (e, p) =>
      e ? reject(e) : resolve(p),
    ),
  );

  const binary = fileURLToPath(new URL("../../provider/pulumi-resource-gpuhost", import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [binary, `127.0.0.1:${port}`], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, PULUMI_CONFIG: JSON.stringify(config), ...options.env },
  });
  const [first] = (await once(child.stdout as NonNullable<typeof child.stdout>, "data")) as [Buffer];
  const client = new provrpc.ResourceProviderClient(
    `127.0.0.1:${first.toString().trim()}`,
    grpc.credentials.createInsecure(),
  );

  const call = <Response>(send: (done: (e: grpc.ServiceError | null, r: Response) => void) => unknown) =>
    new Promise<Response>((resolve, reject) => {
      send((error, response) => (error ? reject(decode(error)) : resolve(response)));
    });

  const handshake = new provproto.ProviderHandshakeRequest();
  handshake.setEngineAddress(`127.0.0.1:${port}`);
  await call<Responses["handshake"]>((done) => client.handshake(handshake, done));
  const configure = new provproto.ConfigureRequest();
  configure.setAcceptsecrets(true);
  await call<Responses["configure"]>((done) => client.configure(configure, done));

  let asked = false;
  return {
    logs,
    child,
    /** Whether the last create asked the engine to read the resource before each update. */
    asksForRefresh: () => asked,
    async check(urn: string, news: Plain) {
      const request = new provproto.CheckRequest();
      request.setUrn(urn);
      request.setNews(struct(news));
      const response = await call<Responses["check"]>((done) => client.check(request, done));
      const failures = response.getFailuresList().map((f) => `${f.getProperty()}: ${f.getReason()}`);
      return { inputs: plain(response.getInputs()), failures };
    },
    async diff(urn: string, old: { inputs: Plain; properties: Plain }, news: Plain) {
      const request = new provproto.DiffRequest();
      request.setUrn(urn);
      request.setOldInputs(struct(old.inputs));
      request.setOlds(struct(old.properties));
      request.setNews(struct(news));
      const response = await call<Responses["diff"]>((done) => client.diff(request, done));
      const keys: string[] = [];
      response.getDetaileddiffMap().forEach((_, key: string) => {
        keys.push(key);
      });
      return { keys, replaces: response.getReplacesList() };
    },
    async create(urn: string, inputs: Plain, preview = false): Promise<Answer> {
      const request = new provproto.CreateRequest();
      request.setUrn(urn);
      request.setProperties(struct(inputs));
      request.setPreview(preview);
      const response = await call<Responses["create"]>((done) => client.create(request, done));
      asked = response.getRefreshBeforeUpdate();
      return { id: response.getId(), inputs, properties: plain(response.getProperties()) };
    },
    async read(urn: string, state: Answer): Promise<Answer> {
      const request = new provproto.ReadRequest();
      request.setUrn(urn);
      request.setId(state.id);
      request.setInputs(struct(state.inputs));
      request.setProperties(struct(state.properties));
      const response = await call<Responses["read"]>((done) => client.read(request, done));
      return {
        id: response.getId(),
        inputs: plain(response.getInputs()),
        properties: plain(response.getProperties()),
      };
    },
    async update(urn: string, state: Answer, inputs: Plain, preview = false): Promise<Answer> {
      const request = new provproto.UpdateRequest();
      request.setUrn(urn);
      request.setId(state.id);
      request.setOldInputs(struct(state.inputs));
      request.setOlds(struct(state.properties));
      request.setNews(struct(inputs));
      request.setPreview(preview);
      const response = await call<Responses["update"]>((done) => client.update(request, done));
      return { id: state.id, inputs, properties: plain(response.getProperties()) };
    },
    async delete(urn: string, state: Answer) {
      const request = new provproto.DeleteRequest();
      request.setUrn(urn);
      request.setId(state.id);
      request.setOldInputs(struct(state.inputs));
      request.setProperties(struct(state.properties));
      await call<Responses["delete"]>((done) => client.delete(request, done));
    },
    async cancel() {
      await call<Responses["cancel"]>((done) => client.cancel(new emptyproto.Empty(), done));
    },
    async schema() {
      const response = await call<Responses["getSchema"]>((done) =>
        client.getSchema(new provproto.GetSchemaRequest(), done),
      );
      return JSON.parse(response.getSchema()) as { resources: Record<string, unknown> };
    },
    /** Ends the provider the way the engine's own end does: its stdin closes. */
    async stop(): Promise<void> {
      const gone = child.exitCode !== null || child.signalCode !== null ? undefined : once(child, "exit");
      child.stdin?.end();
      await gone;
      client.close();
      server.forceShutdown();
    },
  };
}

/** A provider under test, called as the engine calls it. */
export type Engine = Awaited<ReturnType<typeof startEngine>>;

/** A URN as the engine writes it. */
export const urnOf = (type: string, name: string, stack = "lab") =>
  `urn:pulumi:${stack}::gpu-hosts::gpuhost:index:${type}::${name}`;
