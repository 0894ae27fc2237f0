/**
 * The one error type of the lab: what happened, why, and what to type next.
 * Every code has a heading of the same name in docs/errors.md.
 */
export class LabError extends Error {
  readonly code: string;
  readonly hint: string;

  /**
   * @param code stable name in kebab case, e.g. `port-in-use`
   * @param message what happened and why, one sentence
   * @param hint what to do next, in the imperative
   */
  constructor(code: string, message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LabError";
    this.code = code;
    this.hint = hint;
  }
}

/** The `code` of a Node system error such as `ENOENT`, or an empty text for anything else. */
export function systemErrorCode(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === "string" ? code : "";
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The same, and behind it what to do next where that is known. */
export function messageWithHint(error: unknown, separator = " "): string {
  return error instanceof LabError ? `${error.message}${separator}${error.hint}` : messageOf(error);
}

/** How a command tells what ended it, in lines. */
export function errorText(code: string, message: string, hint = ""): string {
  return `error ${code}: ${message}\n${hint === "" ? "" : `${hint}\n`}`;
}
