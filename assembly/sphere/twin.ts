import { DESIRED_COMPLETE } from "./host/abi";
import { EAGAIN } from "./host/errors";
import * as host from "./host/twin";
import { JSON_MISSING, JSON_OBJECT, JsonValue, parseJson } from "./json-reader";
import { JsonWriter } from "./json-writer";
import * as log from "./log";
import { SMALL_MEMORY } from "./memory";
import { fits, RECEIVE, RECEIVE_CAPACITY } from "./receive";

/** Less in a small memory. */
const REPORT_CAPACITY: i32 = SMALL_MEMORY ? 1024 : 2048;
const REPORT: usize = memory.data(SMALL_MEMORY ? 1024 : 2048);
const MAX_PROPERTIES: i32 = 16;

type DesiredHandler = (change: DesiredChange) => void;
const names = new StaticArray<string>(MAX_PROPERTIES);
const handlers = new StaticArray<DesiredHandler | null>(MAX_PROPERTIES);
let nextId: i32 = 1;

/** A patch of the reported properties that is being written. */
@final
export class Report {
  private json: JsonWriter = new JsonWriter(REPORT, REPORT_CAPACITY);

  begin(): this {
    this.json.clear();
    this.json.byte(0x7b);
    return this;
  }

  number(name: string, value: f64): this {
    this.json.key(name);
    this.json.number(value);
    return this;
  }

  text(name: string, value: string): this {
    this.json.key(name);
    this.json.text(value);
    return this;
  }

  bool(name: string, value: bool): this {
    this.json.key(name);
    this.json.bool(value);
    return this;
  }

  /** Begins the answer to a desired property, in the form of IoT Plug and Play. */
  answer(name: string, status: i32, version: i32, description: string): this {
    this.json.key(name);
    this.json.byte(0x7b);
    this.number("ac", status);
    this.number("av", version);
    this.text("ad", description);
    this.json.key("value");
    return this;
  }

  answered(): this {
    this.json.byte(0x7d);
    return this;
  }

  get writer(): JsonWriter {
    return this.json;
  }

  /** @returns false when not connected, too large or too many are under way */
  send(): bool {
    this.json.byte(0x7d);
    if (this.json.overflow) {
      log.error(`a report of properties was refused: it has at most ${REPORT_CAPACITY} bytes`);
      return false;
    }
    const result = host.report(nextId, REPORT, this.json.length);
    nextId = (nextId & 0xffff) + 1;
    if (result === EAGAIN) log.warn("too many reports are under way; this one was not sent");
    return result === 0;
  }
}

const patch = new Report();

/** A desired property that was set, changed or deleted. */
@final
export class DesiredChange {
  constructor(
    readonly name: string,
    /** Null or missing when nobody has set it: the app's default counts. */
    readonly value: JsonValue,
    readonly version: i32,
  ) {}

  /** Acknowledges the value as it is: status 200. */
  accept(description: string = "accepted"): void {
    patch.begin().answer(this.name, 200, this.version, description);
    patch.writer.copy(this.value.start, this.value.length);
    patch.answered().send();
  }

  /** Says which number counts: status 400 after a bad value, 203 for the app's default. */
  answerNumber(status: i32, inForce: f64, description: string): void {
    patch.begin().answer(this.name, status, this.version, description);
    patch.writer.number(inForce);
    patch.answered().send();
  }

  answerBool(status: i32, inForce: bool, description: string): void {
    patch.begin().answer(this.name, status, this.version, description);
    patch.writer.bool(inForce);
    patch.answered().send();
  }

  answerText(status: i32, inForce: string, description: string): void {
    patch.begin().answer(this.name, status, this.version, description);
    patch.writer.text(inForce);
    patch.answered().send();
  }
}

/** Begins a patch of the reported properties: `twin.report().text("serialNumber", "1").send()`. */
export function report(): Report {
  return patch.begin();
}

/**
 * Calls `run` for the desired property `name` after each connect and at each change. The handler
 * answers with one of the change's methods.
 */
export function onDesired(name: string, run: DesiredHandler): void {
  for (let slot = 0; slot < MAX_PROPERTIES; slot++) {
    if (handlers[slot] !== null && names[slot] !== name) continue;
    names[slot] = name;
    handlers[slot] = run;
    return;
  }
  throw new Error("16 desired properties have handlers already");
}

/** The runtime's entry. */
export function desiredArrived(kind: i32): void {
  const length = host.desired(RECEIVE, RECEIVE_CAPACITY);
  if (!fits(length, "a twin")) return;
  const json = parseJson(RECEIVE, length);
  if (json === null || json.kind !== JSON_OBJECT) {
    log.error("the twin is no JSON object and was ignored");
    return;
  }
  const complete = kind === DESIRED_COMPLETE;
  const desired = complete ? json.get("desired") : json;
  const version = i32(desired.get("$version").number());
  for (let slot = 0; slot < MAX_PROPERTIES; slot++) {
    const run = handlers[slot];
    if (run === null) continue;
    const value = desired.get(names[slot]);
    if (value.kind === JSON_MISSING && !complete) continue;
    run(new DesiredChange(names[slot], value, version));
  }
}

/** The runtime's entry. */
export function reportSettled(status: i32): void {
  if (status < 0 || status >= 300) log.warn(`a report of properties was refused: ${status}`);
}
