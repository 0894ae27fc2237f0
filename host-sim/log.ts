/** A line of the lab's log. Rooms write lines; the command line and the HTTP API show them. */
export interface LogLine {
  /** Milliseconds since the Unix epoch on the lab's clock. */
  readonly time: number;
  readonly level: LogLevel;
  /** Who speaks: `device`, `app`, `hub`, `dps`, `security-service` … */
  readonly source: string;
  readonly text: string;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

export type LogSink = (line: LogLine) => void;

/** Writes lines of one source to a sink. */
export interface Logger {
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
  /** The same sink under another source name. */
  named(source: string): Logger;
}

/** A logger that stamps lines with `now` (the lab's clock) and hands them to `sink`. */
export function createLogger(source: string, now: () => number, sink: LogSink): Logger {
  const write = (level: LogLevel, text: string) => sink({ time: now(), level, source, text });
  return {
    debug: (text) => write("debug", text),
    info: (text) => write("info", text),
    warn: (text) => write("warn", text),
    error: (text) => write("error", text),
    named: (other) => createLogger(other, now, sink),
  };
}

/** A logger that drops everything. */
export const silentLogger: Logger = createLogger(
  "",
  () => 0,
  () => {},
);
