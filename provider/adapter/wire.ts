import grpc from "@grpc/grpc-js";
import provproto from "@pulumi/pulumi/proto/provider_pb.js";
import statusproto from "@pulumi/pulumi/proto/status_pb.js";
import anyproto from "google-protobuf/google/protobuf/any_pb.js";
import structproto, { type Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import type { Config } from "#provider/contract/resource.ts";
import { harmless } from "#transport/harmless.ts";
import { errorMessage } from "./errors.ts";

/** Pulumi properties on the wire are a protobuf Struct of JSON values. */
export const toStruct = (value: unknown): Struct =>
  structproto.Struct.fromJavaScript(JSON.parse(JSON.stringify(value)));

/** The values of a Struct; none are an empty object. */
export const fromStruct = (struct: Struct | undefined): Config =>
  (struct ? struct.toJavaScript() : {}) as Config;

/**
 * A failure after the host was touched, or a read that could not look: recorded in state with these
 * properties as unhealthy, so that the next `up` finishes it and `destroy` removes it.
 */
export class InitFailed extends Error {
  override name = "InitFailed";
  readonly id: string;
  readonly properties: unknown;
  readonly inputs: unknown;

  constructor(message: string, state: { id: string; properties: unknown; inputs: unknown }) {
    super(message);
    this.id = state.id;
    this.properties = state.properties;
    this.inputs = state.inputs;
  }
}

/**
 * An error as gRPC carries it, harmless to the terminal in which the engine shows it; {@link InitFailed} travels
 * as a status detail that the engine understands.
 */
export function toServiceError(error: unknown): Partial<grpc.ServiceError> {
  const message = harmless(errorMessage(error));
  if (!(error instanceof InitFailed)) return { code: grpc.status.UNKNOWN, details: message };
  const detail = new provproto.ErrorResourceInitFailed();
  detail.setId(error.id);
  detail.setProperties(toStruct(error.properties));
  detail.setInputs(toStruct(error.inputs));
  detail.setReasonsList([message]);
  const packed = new anyproto.Any();
  packed.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const status = new statusproto.Status();
  status.setCode(grpc.status.UNKNOWN);
  status.setMessage(message);
  status.addDetails(packed);
  const metadata = new grpc.Metadata();
  metadata.add("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
  return { code: grpc.status.UNKNOWN, details: message, metadata };
}
