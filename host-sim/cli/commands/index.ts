import type { Command } from "commander";
import { register as aot } from "./aot.ts";
import { register as azsphere } from "./azsphere.ts";
import { register as build } from "./build.ts";
import { register as deviceServer } from "./device-server.ts";
import { register as exec } from "./exec.ts";
import { register as hardwareDefinition } from "./hardware-definition.ts";
import { register as hub } from "./hub/hub.ts";
import { register as imagePackage } from "./image-package.ts";
import { register as init } from "./init.ts";
import { register as message } from "./message.ts";
import { register as method } from "./method.ts";
import { register as packageProject } from "./package.ts";
import { register as start } from "./start.ts";
import { register as state } from "./state.ts";
import { register as status } from "./status.ts";
import { register as symbolize } from "./symbolize.ts";
import { register as telemetry } from "./telemetry.ts";
import { register as twin } from "./twin.ts";

/** Each noun adds its commands to the program. The order here is the order of `--help`. */
export const nouns: readonly ((program: Command) => void)[] = [
  init,
  start,
  build,
  packageProject,
  imagePackage,
  hardwareDefinition,
  aot,
  symbolize,
  exec,
  status,
  telemetry,
  twin,
  method,
  message,
  hub,
  state,
  deviceServer,
  azsphere,
];
