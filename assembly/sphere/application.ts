import * as host from "./host/application";
import { RECEIVE, RECEIVE_CAPACITY } from "./receive";
import { decode } from "./text";

type StopHandler = () => void;
let stopHandler: StopHandler | null = null;

/** An argument of the manifest's `CmdArgs` from 0, or null when there are fewer. */
export function argument(index: i32): string | null {
  const length = host.argument(index, RECEIVE, RECEIVE_CAPACITY);
  return length < 0 ? null : decode(RECEIVE, min(length, RECEIVE_CAPACITY));
}

/** Ends the app; the operating system starts it again. @param code 1 to 63 */
export function exit(code: i32): void {
  host.exit(code);
}

/** Calls `run` when the operating system asks the app to end. */
export function onStop(run: StopHandler): void {
  stopHandler = run;
}

/** The runtime's entry. */
export function stopping(): void {
  const run = stopHandler;
  if (run !== null) run();
}
