import * as host from "./host/methods";
import { JsonValue, parseJson } from "./json-reader";
import { JsonWriter } from "./json-writer";
import * as log from "./log";
import { fits, RECEIVE, RECEIVE_CAPACITY } from "./receive";
import { decode } from "./text";

const ANSWER_CAPACITY: i32 = 1024;
const ANSWER: usize = memory.data(1024);
const MAX_METHODS: i32 = 16;

type MethodHandler = (request: MethodRequest) => i32;
const names = new StaticArray<string>(MAX_METHODS);
const handlers = new StaticArray<MethodHandler | null>(MAX_METHODS);
const missing = new JsonValue(RECEIVE, RECEIVE);
const answer = new JsonWriter(ANSWER, ANSWER_CAPACITY);

/** A direct method that somebody called. */
@final
export class MethodRequest {
  constructor(
    /** The payload; of kind JSON_MISSING when the caller gave none. */
    readonly payload: JsonValue,
  ) {}

  /** The payload as text: a JSON text without its quotes, anything else as JSON. */
  text(): string {
    return this.payload.text();
  }

  /** Writes the response payload: `request.answer().text("done")`. */
  answer(): JsonWriter {
    answer.clear();
    return answer;
  }
}

/** Answers the direct method `name` with the status that `run` returns: 200 for success. */
export function onMethod(name: string, run: MethodHandler): void {
  for (let slot = 0; slot < MAX_METHODS; slot++) {
    if (handlers[slot] !== null && names[slot] !== name) continue;
    names[slot] = name;
    handlers[slot] = run;
    return;
  }
  throw new Error("16 direct methods have handlers already");
}

/** The runtime's entry. */
export function methodCalled(): void {
  answer.clear();
  const nameLength = host.name(RECEIVE, RECEIVE_CAPACITY);
  const run = fits(nameLength, "a method's name") ? handlerOf(decode(RECEIVE, nameLength)) : null;
  if (run === null) {
    reply(404, "there is no such method");
    return;
  }
  const length = host.payload(RECEIVE, RECEIVE_CAPACITY);
  if (length > 0 && !fits(length, "a method's payload")) {
    reply(413, `a payload has at most ${RECEIVE_CAPACITY} bytes`);
    return;
  }
  const payload = length > 0 ? parseJson(RECEIVE, length) : missing;
  if (payload === null) {
    reply(400, "the payload is no JSON");
    return;
  }
  finish(run(new MethodRequest(payload)));
}

function handlerOf(name: string): MethodHandler | null {
  for (let slot = 0; slot < MAX_METHODS; slot++) {
    if (handlers[slot] !== null && names[slot] === name) return handlers[slot];
  }
  return null;
}

function reply(status: i32, text: string): void {
  answer.clear();
  answer.text(text);
  finish(status);
}

function finish(status: i32): void {
  if (answer.overflow) {
    log.error(`the answer to a method was left out: it has at most ${ANSWER_CAPACITY} bytes`);
    answer.clear();
  }
  host.reply(status, ANSWER, answer.length);
}
