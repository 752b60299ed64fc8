import statusproto from "@pulumi/pulumi/proto/status_pb.js";
import { expect, test } from "vitest";
import { InitFailed, toServiceError } from "./wire.ts";

const evil = "\u001b]0;owned\u0007\u001b[2J\u202e";

test.each([
  ["an error", new Error(`it said ${evil}no`)],
  ["anything thrown", `it said ${evil}no`],
])("%s reaches the engine, and the terminal, harmless", (_, error) => {
  expect(toServiceError(error).details).toBe("it said no");
});

test("so does the reason why a resource is unhealthy, and its properties as they are", () => {
  const properties = { text: `a${evil}` };
  const { details, metadata } = toServiceError(
    new InitFailed(`it said ${evil}no`, { id: "h:x", properties, inputs: {} }),
  );
  expect(details).toBe("it said no");
  const [packed] = metadata?.get("grpc-status-details-bin") ?? [];
  const status = statusproto.Status.deserializeBinary(packed as Buffer);
  expect(status.getMessage()).toBe("it said no");
  const bytes = Buffer.from(status.getDetailsList()[0]?.getValue_asU8() ?? []).toString();
  expect(bytes).toContain("it said no");
  expect(bytes.match(/\u202e/g)).toHaveLength(1);
});
