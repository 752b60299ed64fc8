import grpc from "@grpc/grpc-js";
import engrpc, { type EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engproto from "@pulumi/pulumi/proto/engine_pb.js";
import plugproto from "@pulumi/pulumi/proto/plugin_pb.js";
import type { IResourceProviderServer } from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import provproto from "@pulumi/pulumi/proto/provider_pb.js";
import emptyproto from "google-protobuf/google/protobuf/empty_pb.js";
import { harmless } from "#transport/harmless.ts";
import manifest from "../../package.json" with { type: "json" };
import type { DetailedChange } from "./differ.ts";
import type { Runtime, Severity } from "./runtime.ts";
import { unwrap } from "./secrets.ts";
import { fromStruct, toServiceError, toStruct } from "./wire.ts";

const { version } = manifest;
/** An engine that does not take a line within this time does not hold up the work. */
const logMilliseconds = 5000;

type Answer<Response> = (error: Partial<grpc.ServiceError> | null, response?: Response) => void;

/** A gRPC handler from a function that may throw. */
function handle<Request, Response>(work: (request: Request) => Response | Promise<Response>) {
  return (call: { request: Request }, answer: Answer<Response>): void => {
    // In the next turn, so that a synchronous throw is answered like any other failure.
    Promise.resolve(call.request)
      .then(work)
      .then(
        (response) => answer(null, response),
        (error: unknown) => answer(toServiceError(error)),
      );
  };
}

const severities = {
  progress: engproto.LogSeverity.INFO,
  info: engproto.LogSeverity.INFO,
  warning: engproto.LogSeverity.WARNING,
} as const satisfies Record<Severity, number>;

function pulumiKind({ kind, replaces }: DetailedChange) {
  const { Kind } = provproto.PropertyDiff;
  const kinds = {
    add: [Kind.ADD, Kind.ADD_REPLACE],
    delete: [Kind.DELETE, Kind.DELETE_REPLACE],
    update: [Kind.UPDATE, Kind.UPDATE_REPLACE],
  } as const;
  return kinds[kind][replaces ? 1 : 0];
}

function diffResponse(changes: readonly DetailedChange[]) {
  const { DiffChanges } = provproto.DiffResponse;
  const response = new provproto.DiffResponse();
  for (const change of changes) {
    const property = new provproto.PropertyDiff();
    property.setKind(pulumiKind(change));
    property.setInputdiff(!change.isOutput);
    response.getDetaileddiffMap().set(change.key, property);
  }
  response.setHasdetaileddiff(true);
  const inputs = (some: readonly DetailedChange[]) => [...new Set(some.map(({ input }) => input))];
  response.setDiffsList(inputs(changes));
  response.setReplacesList(inputs(changes.filter(({ replaces }) => replaces)));
  response.setChanges(changes.length > 0 ? DiffChanges.DIFF_SOME : DiffChanges.DIFF_NONE);
  return response;
}

/**
 * What works on resources, loaded when the engine means to: it also starts providers just to have their
 * configuration checked, and these 100 ms are most of what a start takes.
 */
async function loadWork() {
  const [verbs, { read }, { createRuntime }] = await Promise.all([
    import("./verbs.ts"),
    import("./read.ts"),
    import("./runtime.ts"),
  ]);
  return { verbs, read, createRuntime };
}

/**
 * The provider as Pulumi's engine sees it: turns requests into calls of the verbs and their answers into
 * responses. Knows no resource by name.
 *
 * @param stackConfig the stack's configuration as the engine put it into PULUMI_CONFIG
 */
export function createProvider(stackConfig: Readonly<Record<string, unknown>> | undefined): {
  service: IResourceProviderServer;
  close: () => void;
} {
  const cancelled = new AbortController();
  let engine: EngineClient | undefined;
  let configured: Readonly<Record<string, unknown>> = {};
  let runtime: Runtime | undefined;
  let work: ReturnType<typeof loadWork> | undefined;

  const log = async (urn: string, severity: Severity, message: string) => {
    const request = new engproto.LogRequest();
    request.setUrn(urn);
    request.setSeverity(severities[severity]);
    request.setMessage(harmless(message));
    request.setEphemeral(severity === "progress");
    const { promise, resolve } = Promise.withResolvers<void>();
    if (engine)
      engine.log(request, new grpc.Metadata(), { deadline: Date.now() + logMilliseconds }, () => resolve());
    else resolve();
    await promise;
  };
  const loaded = () => {
    work ??= loadWork();
    return work;
  };
  // Lazily, so that a faulty inventory is reported by the resource that needs it and not as a provider that
  // would not start.
  const ready = async () => {
    const { verbs, read, createRuntime } = await loaded();
    runtime ??= createRuntime(stackConfig ?? configured, log, cancelled.signal);
    return { verbs, read, runtime };
  };
  const connect = (address: string) => {
    engine = new engrpc.EngineClient(address, grpc.credentials.createInsecure());
  };

  const service: Record<string, unknown> = {
    handshake: handle((request: provproto.ProviderHandshakeRequest) => {
      connect(request.getEngineAddress());
      const response = new provproto.ProviderHandshakeResponse();
      response.setAcceptSecrets(true);
      return response;
    }),
    attach: handle((request: plugproto.PluginAttach) => {
      connect(request.getAddress());
      return new emptyproto.Empty();
    }),
    getPluginInfo: handle(() => {
      const info = new plugproto.PluginInfo();
      info.setVersion(version);
      return info;
    }),
    getSchema: handle(async () => {
      const { schema } = await import("./schema.ts");
      const response = new provproto.GetSchemaResponse();
      response.setSchema(JSON.stringify(schema(version)));
      return response;
    }),
    checkConfig: handle((request: provproto.CheckRequest) => {
      const response = new provproto.CheckResponse();
      response.setInputs(request.getNews());
      return response;
    }),
    // A changed inventory never replaces anything: resources carry only the name of their host.
    diffConfig: handle(() => diffResponse([])),
    configure: handle((request: provproto.ConfigureRequest) => {
      configured = unwrap(fromStruct(request.getArgs())).value as Record<string, unknown>;
      // Once the engine has its answer; a failure is told to the first that asks.
      setImmediate(() => loaded().catch(() => undefined));
      const response = new provproto.ConfigureResponse();
      response.setAcceptsecrets(true);
      response.setSupportspreview(true);
      return response;
    }),
    check: handle(async (request: provproto.CheckRequest) => {
      const { verbs, runtime } = await ready();
      const { inputs, failures } = verbs.check(runtime, request.getUrn(), fromStruct(request.getNews()));
      const response = new provproto.CheckResponse();
      response.setInputs(toStruct(inputs));
      for (const { property, reason } of failures) {
        const failure = new provproto.CheckFailure();
        failure.setProperty(property);
        failure.setReason(reason);
        response.addFailures(failure);
      }
      return response;
    }),
    diff: handle(async (request: provproto.DiffRequest) => {
      const { verbs } = await loaded();
      const [inputs, olds] = [fromStruct(request.getOldInputs()), fromStruct(request.getOlds())];
      return diffResponse(verbs.diff(request.getUrn(), inputs, olds, fromStruct(request.getNews())));
    }),
    create: handle(async (request: provproto.CreateRequest) => {
      const { verbs, runtime } = await ready();
      const state = await verbs.create(
        runtime,
        request.getUrn(),
        fromStruct(request.getProperties()),
        request.getPreview(),
      );
      const response = new provproto.CreateResponse();
      response.setId(state.id);
      response.setProperties(toStruct(state.properties));
      response.setRefreshBeforeUpdate(runtime.refreshBeforeUpdate);
      return response;
    }),
    read: handle(async (request: provproto.ReadRequest) => {
      const { read, runtime } = await ready();
      const state = await read(runtime, request.getUrn(), {
        id: request.getId(),
        inputs: fromStruct(request.getInputs()),
        properties: fromStruct(request.getProperties()),
      });
      const response = new provproto.ReadResponse();
      if (!state) return response;
      response.setId(state.id);
      response.setInputs(toStruct(state.inputs));
      response.setProperties(toStruct(state.properties));
      response.setRefreshBeforeUpdate(runtime.refreshBeforeUpdate);
      return response;
    }),
    update: handle(async (request: provproto.UpdateRequest) => {
      const { verbs, runtime } = await ready();
      const old = { id: request.getId(), properties: fromStruct(request.getOlds()) };
      const news = fromStruct(request.getNews());
      const state = await verbs.update(runtime, request.getUrn(), old, news, request.getPreview());
      const response = new provproto.UpdateResponse();
      response.setProperties(toStruct(state.properties));
      response.setRefreshBeforeUpdate(runtime.refreshBeforeUpdate);
      return response;
    }),
    delete: handle(async (request: provproto.DeleteRequest) => {
      const { verbs, runtime } = await ready();
      await verbs.remove(runtime, request.getUrn(), request.getId(), fromStruct(request.getProperties()));
      return new emptyproto.Empty();
    }),
    cancel: handle(() => {
      cancelled.abort();
      return new emptyproto.Empty();
    }),
  };
  return { service: service as unknown as IResourceProviderServer, close: () => runtime?.close() };
}
