import { EMSGSIZE } from "./host/errors";
import { JsonWriter } from "./json-writer";
import * as log from "./log";
import { SMALL_MEMORY } from "./memory";
import { append, BODY_CAPACITY, PROPERTIES_CAPACITY } from "./outbox";
import { writeProperty } from "./property-bag";

const BODY: usize = memory.data(SMALL_MEMORY ? 1024 : 2048);
const PROPERTIES: usize = memory.data(512);

/** A telemetry message that is being written: one JSON object, and application properties. */
@final
export class Telemetry {
  private body: JsonWriter = new JsonWriter(BODY, BODY_CAPACITY);
  private bag: JsonWriter = new JsonWriter(PROPERTIES, PROPERTIES_CAPACITY);

  /** Begins a new message. */
  begin(): this {
    this.body.clear();
    this.bag.clear();
    this.body.byte(0x7b);
    // The hub routes on the body only when these two say what it is.
    this.bag.raw("%24.ct=application%2Fjson&%24.ce=utf-8");
    return this;
  }

  number(name: string, value: f64): this {
    this.body.key(name);
    this.body.number(value);
    return this;
  }

  text(name: string, value: string): this {
    this.body.key(name);
    this.body.text(value);
    return this;
  }

  bool(name: string, value: bool): this {
    this.body.key(name);
    this.body.bool(value);
    return this;
  }

  /** The time now, ISO 8601 in UTC. */
  time(name: string): this {
    this.body.key(name);
    this.body.time();
    return this;
  }

  /** An application property, which hub routes can ask for. */
  property(name: string, value: string): this {
    writeProperty(this.bag, name, value);
    return this;
  }

  /**
   * Sends the message at least once: it waits in mutable storage until the hub has it.
   * @returns false when it is too large; the log says so
   */
  send(): bool {
    this.body.byte(0x7d);
    const tooLarge = this.body.overflow || this.bag.overflow;
    const result = tooLarge
      ? EMSGSIZE
      : append(BODY, this.body.length, PROPERTIES, this.bag.length);
    if (result === 0) return true;
    log.error(
      `a telemetry message was refused: its body has at most ${BODY_CAPACITY} bytes and its ` +
        `properties at most ${PROPERTIES_CAPACITY}`,
    );
    return false;
  }
}
