import type { Entry } from "../table.ts";
import { appEntries } from "./apps.ts";
import { attachedEntries } from "./attached.ts";
import { capabilityEntries } from "./capabilities.ts";
import { certificateEntries } from "./certificates.ts";
import { imageEntries } from "./images.ts";
import { localEntries } from "./local.ts";
import { networkEntries, proxyEntries } from "./network.ts";
import { recoverEntries } from "./recover.ts";
import { sideloadEntries } from "./sideload.ts";
import { wifiEntries } from "./wifi.ts";

/** All commands; the order here is the order of help pages. */
export const allEntries: readonly Entry[] = [
  ...attachedEntries,
  ...recoverEntries,
  ...sideloadEntries,
  ...appEntries,
  ...imageEntries,
  ...wifiEntries,
  ...networkEntries,
  ...proxyEntries,
  ...certificateEntries,
  ...capabilityEntries,
  ...localEntries,
];
