import { HubError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import type { JsonObject } from "./json.ts";

const LARGEST_METHOD_PAYLOAD = 131_072;

/** A direct method as services call it; time-outs in seconds. */
export interface MethodCall {
  readonly methodName: string;
  readonly payload?: JsonObject[string];
  readonly responseTimeoutInSeconds?: number;
  readonly connectTimeoutInSeconds?: number;
}

/** @throws HubError ArgumentInvalid, DeviceNotOnline, GatewayTimeout, MessageTooLarge */
export async function callMethod(hub: Hub, id: string, call: MethodCall) {
  const payload = call.payload === undefined ? "" : JSON.stringify(call.payload);
  hub.limits.takeMethod(Buffer.byteLength(payload));
  const result = await hub.connections.invoke(id, {
    methodName: call.methodName,
    payload,
    responseTimeoutMs: (call.responseTimeoutInSeconds ?? 30) * 1000,
    connectTimeoutMs: (call.connectTimeoutInSeconds ?? 0) * 1000,
  });
  return { status: result.status, payload: parsed(result.payload) };
}

function parsed(json: string) {
  try {
    return json === "" ? null : JSON.parse(json);
  } catch {
    return json;
  }
}

/** @throws HubError ArgumentInvalid, MessageTooLarge */
export function methodCall(body: JsonObject): MethodCall {
  const { methodName, payload } = body;
  if (typeof methodName !== "string" || !/^[^/#+\s]{1,100}$/.test(methodName)) {
    throw new HubError("ArgumentInvalid", "methodName has 1 to 100 characters without / # +");
  }
  if (Buffer.byteLength(JSON.stringify(payload ?? null)) > LARGEST_METHOD_PAYLOAD) {
    throw new HubError("MessageTooLarge", "A method's payload has at most 128 KiB");
  }
  return {
    methodName,
    payload,
    responseTimeoutInSeconds: seconds(body, "responseTimeoutInSeconds", 5),
    connectTimeoutInSeconds: seconds(body, "connectTimeoutInSeconds", 0),
  };
}

function seconds(body: JsonObject, name: string, least: number): number | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && value >= least && value <= 300) return value;
  throw new HubError("ArgumentInvalid", `${name} has to be from ${least} to 300`);
}
