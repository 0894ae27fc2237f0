import type { Entry } from "../table.ts";
import { accountEntries } from "./account.ts";
import { appEntries } from "./apps.ts";
import { attachedEntries } from "./attached.ts";
import { caCertificateEntries } from "./ca-certificates.ts";
import { capabilityEntries } from "./capabilities.ts";
import { certificateEntries } from "./certificates.ts";
import { cloudDeviceEntries } from "./cloud-devices.ts";
import { cloudImageEntries } from "./cloud-images.ts";
import { deploymentEntries } from "./deployments.ts";
import { developmentEntries } from "./development.ts";
import { groupEntries } from "./groups.ts";
import { imageEntries } from "./images.ts";
import { localEntries } from "./local.ts";
import { networkEntries, proxyEntries } from "./network.ts";
import { productEntries } from "./products.ts";
import { recoverEntries } from "./recover.ts";
import { roleEntries } from "./roles.ts";
import { sideloadEntries } from "./sideload.ts";
import { supportEntries } from "./support.ts";
import { catalogEntries, tenantEntries } from "./tenants.ts";
import { toolEntries } from "./tool.ts";
import { wifiEntries } from "./wifi.ts";

/** All commands; the order here is the order of help pages. */
export const allEntries: readonly Entry[] = [
  ...accountEntries,
  ...tenantEntries,
  ...roleEntries,
  ...catalogEntries,
  ...attachedEntries,
  ...cloudDeviceEntries,
  ...developmentEntries,
  ...recoverEntries,
  ...sideloadEntries,
  ...appEntries,
  ...imageEntries,
  ...wifiEntries,
  ...networkEntries,
  ...proxyEntries,
  ...certificateEntries,
  ...capabilityEntries,
  ...productEntries,
  ...groupEntries,
  ...cloudImageEntries,
  ...deploymentEntries,
  ...caCertificateEntries,
  ...supportEntries,
  ...localEntries,
  ...toolEntries,
];
