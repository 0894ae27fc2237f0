import type { StoredMessage } from "../hub/events.ts";
import type { LabEvent } from "../lab/api.ts";
import type { LogLine } from "../log.ts";

const COLOURS = { debug: 90, info: 0, warn: 33, error: 31 } as const;
const TELEMETRY_COLOUR = 36;

/** One line for a log line or a message of telemetry; coloured on a terminal. */
export function liveLine(event: LabEvent, colour: boolean): string {
  if (event.type === "log") return logLine(event.line, colour);
  const { enqueuedTime, body } = event.message as StoredMessage;
  const text = Buffer.from(body, "base64").toString("utf8");
  return painted(row(Date.parse(enqueuedTime), "telemetry", text), TELEMETRY_COLOUR, colour);
}

function logLine({ time, level, source, text }: LogLine, colour: boolean): string {
  const marked = level === "info" || level === "debug" ? text : `${level}: ${text}`;
  return painted(row(time, source, marked), COLOURS[level], colour);
}

function row(time: number, source: string, text: string): string {
  const clock = new Date(time).toISOString().slice(11, 19);
  // What an app or a peer wrote must not move the cursor or colour the rest.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones
  const safe = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
  return `${clock}  ${source.padEnd(9)}  ${safe}`;
}

function painted(text: string, code: number, colour: boolean): string {
  return colour && code !== 0 ? `\u001b[${code}m${text}\u001b[0m` : text;
}
