/** The compiler's entry: the app, and what the runtime calls. */
export { abiVersion, collect, onEvent, onTimer } from "./sphere/entry";

import "./app/main";
