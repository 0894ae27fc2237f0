import { CONNECTED } from "./host/abi";
import { EINVAL } from "./host/errors";
import * as host from "./host/iothub";
import { connectionChanged, openOutbox } from "./outbox";
import { Telemetry } from "./telemetry";
import { codePointAt, storeUtf8 } from "./text";

export { ABANDONED, ACCEPTED, Message, onMessage, REJECTED } from "./messages";
export { MethodRequest, onMethod } from "./methods";
export { waiting } from "./outbox";
export { Telemetry } from "./telemetry";

const MODEL_ID: usize = memory.data(128);

type ConnectionHandler = (connected: bool, reason: i32) => void;
let handler: ConnectionHandler | null = null;
let connected: bool = false;
const message = new Telemetry();

/**
 * Connects to the hub that the manifest's `CmdArgs` name, and stays connected from then on.
 * @param modelId the DTDL model id that is announced, at most 128 characters; empty for none
 */
export function connect(modelId: string = ""): void {
  if (modelId.length > 128) throw new Error("A model id has at most 128 characters");
  let at = MODEL_ID;
  for (let index = 0; index < modelId.length; index++) {
    at = storeUtf8(at, codePointAt(modelId, index) & 0x7f);
  }
  openOutbox();
  const result = host.open(MODEL_ID, i32(at - MODEL_ID));
  if (result === EINVAL) {
    throw new Error("CmdArgs name no hub (--Hostname NAME or --ScopeID ID), or a model id is none");
  }
  if (result < 0) throw new Error("The app is connected already");
}

export function isConnected(): bool {
  return connected;
}

/** Calls `run` whenever the connection comes or goes; `reason` is a REASON of the host ABI. */
export function onConnection(run: ConnectionHandler): void {
  handler = run;
}

/** Begins a telemetry message: `iothub.telemetry().number("temperature", 21.5).send()`. */
export function telemetry(): Telemetry {
  return message.begin();
}

/** The runtime's entry. */
export function connectionEvent(state: i32, reason: i32): void {
  connected = state === CONNECTED;
  connectionChanged(connected);
  const run = handler;
  if (run !== null) run(connected, reason);
}
