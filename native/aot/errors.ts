/**
 * The translator's error, of the same shape as the lab's: what happened, why, what to type next.
 * Every code has a heading of the same name in docs/errors.md.
 */
export class AotError extends Error {
  readonly code: string;
  readonly hint: string;

  /**
   * @param code stable name in kebab case, e.g. `wasm-invalid`
   * @param message what is wrong with the module, with the byte offset where that is known
   * @param hint what to do next, in the imperative
   */
  constructor(code: string, message: string, hint: string) {
    super(message);
    this.name = "AotError";
    this.code = code;
    this.hint = hint;
  }
}

/** The module breaks a rule of WebAssembly; `offset` counts bytes from the start of the file. */
export function invalid(message: string, offset: number): AotError {
  return new AotError(
    "wasm-invalid",
    `The module is no valid WebAssembly: ${message} (byte ${offset}).`,
    "Compile the app again; the file may be damaged or cut short.",
  );
}

/** The module is valid, or may be, and uses something that compiled apps never need. */
export function unsupported(feature: string, offset: number): AotError {
  return new AotError(
    "wasm-unsupported",
    `The module uses ${feature}, which the translator does not know (byte ${offset}).`,
    "Compile the app with the settings of asconfig.json; they leave such features off.",
  );
}
