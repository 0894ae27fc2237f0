/** What the app exports for the runtime below it. */
import { stopping } from "./application";
import { changed } from "./gpio";
import * as abi from "./host/abi";
import { connectionEvent } from "./iothub";
import { messageArrived } from "./messages";
import { methodCalled } from "./methods";
import { settled } from "./outbox";
import { updateEvent } from "./sysevent";
import { fire } from "./timers";
import { desiredArrived, reportSettled } from "./twin";

export function abiVersion(): i32 {
  return abi.ABI_VERSION;
}

export function onTimer(id: i32): void {
  fire(id);
}

export function onEvent(kind: i32, id: i32, value: i32): void {
  switch (kind) {
    case abi.EVENT_GPIO:
      changed(id, value);
      break;
    case abi.EVENT_CONNECTION:
      connectionEvent(id, value);
      break;
    case abi.EVENT_TELEMETRY:
      settled(id, value);
      break;
    case abi.EVENT_MESSAGE:
      messageArrived();
      break;
    case abi.EVENT_DESIRED:
      desiredArrived(id);
      break;
    case abi.EVENT_REPORTED:
      reportSettled(value);
      break;
    case abi.EVENT_METHOD:
      methodCalled();
      break;
    case abi.EVENT_STOP:
      stopping();
      break;
    case abi.EVENT_UPDATE:
      updateEvent(id, value);
      break;
  }
}

/** Frees what nothing refers to. Nothing of the app runs meanwhile. */
export function collect(): void {
  __collect();
}
