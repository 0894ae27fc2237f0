import type { Command } from "commander";
import { LabError } from "../../errors.ts";
import type { StoredMessage } from "../../hub/events.ts";
import { callLab, connectLab, type LabContext } from "../context.ts";
import { followEvents } from "../follow.ts";
import { wholeNumber } from "../options.ts";

interface TelemetryOptions {
  readonly count?: number;
  readonly timeout?: number;
  readonly from?: number;
  readonly output?: string;
}

/** One message as `--output json` prints it. */
export interface PrintedMessage {
  readonly deviceId: string;
  readonly enqueuedTime: string;
  readonly sequenceNumber: number;
  /** Parsed when it is JSON, otherwise text. */
  readonly body: unknown;
  readonly properties: StoredMessage["properties"];
  readonly systemProperties: StoredMessage["systemProperties"];
}

export function register(program: Command): void {
  program
    .command("telemetry")
    .description("print telemetry as the hub receives it")
    .option("--count <n>", "end after this many messages", wholeNumber(1, 1_000_000))
    .option("--timeout <seconds>", "end with exit code 1 after this time", wholeNumber(1, 86_400))
    .option(
      "--from <sequence>",
      "begin with stored messages from this number",
      wholeNumber(0, 1e12),
    )
    .option("-o, --output <format>", "text, or json: one object a line", "text")
    .addHelpText("after", "\nExample: spherule telemetry --count 3 --timeout 60 --output json")
    .action((options: TelemetryOptions) => run(options));
}

async function run(options: TelemetryOptions): Promise<void> {
  const lab = await connectLab();
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), (options.timeout ?? 86_400) * 1000);
  let left = options.count ?? Number.POSITIVE_INFINITY;
  try {
    for await (const message of messagesOf(lab, options.from, end.signal)) {
      process.stdout.write(`${format(message, options.output)}\n`);
      left -= 1;
      if (left === 0) return;
    }
  } catch (error) {
    if (!end.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    end.abort();
  }
  if (options.count !== undefined) throw tooFew(options.count - left, options.count);
}

/** Stored messages first when asked for, then new ones; none twice. */
export async function* messagesOf(
  lab: LabContext,
  from: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<StoredMessage> {
  const live = await followEvents(lab, signal);
  let next = 0;
  if (from !== undefined) {
    for (const message of await callLab<StoredMessage[]>(lab, "GET", `/telemetry?from=${from}`)) {
      yield message;
      next = message.sequenceNumber + 1;
    }
  }
  for await (const event of live) {
    if (event.type !== "telemetry") continue;
    const message = event.message as StoredMessage;
    if (message.sequenceNumber >= next) yield message;
  }
}

/** A message as people read it or as one JSON object. */
export function format(message: StoredMessage, output = "text"): string {
  const body = bodyOf(message);
  const { deviceId, enqueuedTime, sequenceNumber, properties, systemProperties } = message;
  if (output === "json") {
    const printed: PrintedMessage = {
      deviceId,
      enqueuedTime,
      sequenceNumber,
      body,
      properties,
      systemProperties,
    };
    return JSON.stringify(printed);
  }
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return `${enqueuedTime}  ${deviceId.slice(0, 12)}…  ${text}`;
}

/** Parsed when it is JSON, otherwise text. */
export function bodyOf(message: StoredMessage): unknown {
  const text = Buffer.from(message.body, "base64").toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function tooFew(got: number, wanted: number): LabError {
  return new LabError(
    "telemetry-timeout",
    `Only ${got} of ${wanted} messages came in time.`,
    "`spherule status` tells whether the device is connected; its log says why not.",
  );
}
