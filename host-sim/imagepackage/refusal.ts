import { LabError } from "../errors.ts";

/** Why a device does not install something, with the number that its REST API answers. */
export interface Refusal {
  /** category × 2^20 + id */
  readonly code: number;
  readonly message: string;
  /** Field of app_manifest.json. */
  readonly field?: string;
}

/** Categories of the device's errors. */
export const APP_MANAGER = 1;
export const APP = 2;
export const PINS = 5;
export const IMAGE_UPDATE = 7;

export function refuse(category: number, id: number, message: string, field?: string): Refusal {
  return { code: category * 2 ** 20 + id, message, ...(field ? { field } : {}) };
}

/** The refusal as an error of the lab. */
export function refusalError(refusal: Refusal): LabError {
  return new LabError(
    "install-refused",
    `The device does not install the application: ${refusal.message} (error ${refusal.code}).`,
    refusal.field
      ? `Correct ${refusal.field} in app_manifest.json.`
      : "docs/image-package.md tells what a device takes.",
  );
}
