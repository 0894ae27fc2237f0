/** The Spherule SDK: everything an app imports. */
import * as application from "./application";
import * as clock from "./clock";
import * as gpio from "./gpio";
import * as iothub from "./iothub";
import * as log from "./log";
import * as storage from "./storage";
import * as sysevent from "./sysevent";
import * as twin from "./twin";

export { JsonValue, parseJson } from "./json-reader";
export { JsonWriter } from "./json-writer";
export { after, cancel, every, reschedule } from "./timers";
export { application, clock, gpio, iothub, log, storage, sysevent, twin };
