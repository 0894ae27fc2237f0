/** Calls the handler of a key that is pressed on a terminal. @returns what ends it */
export function watchKeys(handlers: Readonly<Record<string, () => void>>): () => void {
  const { stdin } = process;
  if (!stdin.isTTY) return () => {};
  const onData = (data: Buffer) => {
    for (const key of data.toString("utf8")) {
      // In raw mode Ctrl-C is a character.
      (key === "\u0003" ? handlers.q : handlers[key])?.();
    }
  };
  stdin.setRawMode(true);
  stdin.resume();
  stdin.on("data", onData);
  return () => {
    stdin.removeListener("data", onData);
    stdin.setRawMode(false);
    stdin.pause();
  };
}
