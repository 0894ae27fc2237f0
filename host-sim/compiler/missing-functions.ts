/**
 * What AssemblyScript knows and a browser or Node would have to bring: the app compiles, and no device
 * could run it.
 */
const INSTEAD: readonly (readonly [imported: RegExp, written: string, instead: string])[] = [
  [/^console\./, "console.", "log.info, log.warn or log.error"],
  [/^trace$/, "trace(", "log.info"],
  [/^seed$/, "Math.random", "a generator of your own, with a seed such as clock.monotonic()"],
  [/^Date\./, "Date", "clock.now()"],
  [/^performance\./, "performance.", "clock.monotonic()"],
  [/^process\./, "process.", "application.exit or log.info"],
];

/**
 * A line for each function of the environment that the app uses and the device does not have.
 * @param sources name → text of what was compiled
 */
export function missingFunctions(
  wasm: Uint8Array<ArrayBuffer>,
  sources: ReadonlyMap<string, string>,
): string[] {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(wasm));
  return imports
    .filter(({ module, name }) => module === "env" && name !== "abort")
    .map(({ name }) => {
      const [, written = name, instead] = INSTEAD.find(([imported]) => imported.test(name)) ?? [];
      const place = placeOf(written, sources);
      const advice = instead === undefined ? "" : ` Use ${instead} instead.`;
      return `ERROR: the device has no ${name}.${advice}${place}`;
    });
}

/** In the app's own sources; the library is not the user's to change. */
function placeOf(written: string, sources: ReadonlyMap<string, string>): string {
  for (const [name, text] of sources) {
    if (name.startsWith("~lib") || name.includes("node_modules")) continue;
    const line = text.split("\n").findIndex((each) => each.includes(written));
    if (line >= 0) return `\n in ${name}(${line + 1})`;
  }
  return "";
}
