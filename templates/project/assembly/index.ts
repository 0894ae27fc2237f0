/** The compiler's entry: the app, and what the runtime calls. */
export { abiVersion, collect, onEvent, onTimer } from "spherule/assembly/sphere/entry";

import "./app/main";
