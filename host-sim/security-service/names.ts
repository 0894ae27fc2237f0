import { LabError } from "../errors.ts";

const CATALOG = /^[A-Za-z0-9_-]{1,50}$/;
const PRODUCT = /^[A-Za-z0-9]([A-Za-z0-9 ]{0,48}[A-Za-z0-9])?$/;
const DEVICE = /^[0-9a-f]{128}$/;
const GUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** The system's own product and device group: claimed devices that nobody assigned are here. */
export const DEFAULT_PRODUCT = ".default";
export const UNASSIGNED_GROUP = ".unassigned";

/** @throws LabError name-invalid */
export function checkCatalogName(name: string): string {
  if (CATALOG.test(name)) return name;
  throw invalid("catalog", name, "1 to 50 letters, digits, '_' and '-'");
}

/** A product's or device group's name. @throws LabError name-invalid */
export function checkName(kind: "product" | "device group", name: string): string {
  if (PRODUCT.test(name)) return name;
  throw invalid(kind, name, "1 to 50 letters, digits and spaces, with no space at the ends");
}

/** The id in lower case, as certificates and hubs spell it. @throws LabError name-invalid */
export function checkDeviceId(deviceId: string): string {
  const id = deviceId.toLowerCase();
  if (DEVICE.test(id)) return id;
  throw invalid("device", deviceId, "128 hexadecimal digits");
}

/** @throws LabError name-invalid */
export function checkGuid(kind: string, text: string): string {
  const guid = text.toLowerCase();
  if (GUID.test(guid)) return guid;
  throw invalid(kind, text, "a GUID");
}

function invalid(kind: string, name: string, rule: string): LabError {
  return new LabError(
    "name-invalid",
    `'${name.slice(0, 140)}' is no name of a ${kind}.`,
    `A ${kind} is named by ${rule}.`,
  );
}
