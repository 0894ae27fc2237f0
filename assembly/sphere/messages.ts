import * as host from "./host/iothub";
import { JsonValue, parseJson } from "./json-reader";
import { readProperty } from "./property-bag";
import { fits, RECEIVE, RECEIVE_CAPACITY } from "./receive";
import { decode } from "./text";

const PROPERTIES_CAPACITY: i32 = 1024;
const PROPERTIES: usize = memory.data(1024);

/** What becomes of a message after its handler. */
export const ACCEPTED: i32 = 0;
export const REJECTED: i32 = 1;
export const ABANDONED: i32 = 2;

/** A cloud-to-device message; its contents are there during the handler only. */
@final
export class Message {
  constructor(
    private bodyLength: i32,
    private bagLength: i32,
  ) {}

  text(): string {
    return decode(RECEIVE, this.bodyLength);
  }

  /** Null when the body is no JSON. */
  json(): JsonValue | null {
    return parseJson(RECEIVE, this.bodyLength);
  }

  /** An application property, or a system one such as `$.mid`; null when there is none. */
  property(name: string): string | null {
    return readProperty(PROPERTIES, this.bagLength, name);
  }

  /** Says what becomes of the message; without it it is ACCEPTED. Over MQTT nothing else is. */
  settle(disposition: i32): void {
    host.settleMessage(disposition);
  }
}

type MessageHandler = (message: Message) => void;
let handler: MessageHandler | null = null;

/** Calls `run` for every cloud-to-device message. */
export function onMessage(run: MessageHandler): void {
  handler = run;
}

/** The runtime's entry. */
export function messageArrived(): void {
  const run = handler;
  if (run === null) return;
  const length = host.messageBody(RECEIVE, RECEIVE_CAPACITY);
  if (length !== 0 && !fits(length, "a message")) return;
  const bagLength = host.messageProperties(PROPERTIES, PROPERTIES_CAPACITY);
  run(new Message(length, max(0, min(bagLength, PROPERTIES_CAPACITY))));
}
