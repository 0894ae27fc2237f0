import { watchApps } from "../device/wasm/watchdog.ts";
import { errorText } from "../errors.ts";

/** An event of an app takes milliseconds. */
const PATIENCE_S = 10;

/** Ends the lab when an app never comes back, and says so; otherwise nobody could but `kill -9`. */
export function endLabWhenAppIsStuck(): void {
  watchApps(
    PATIENCE_S,
    errorText(
      "app-stuck",
      `An app has not come back for ${PATIENCE_S} s: it loops without an end. ` +
        "The lab was ended, since the app runs in its own thread.",
      "Correct the loop; work that is long belongs in several timer events.",
    ),
  );
}
