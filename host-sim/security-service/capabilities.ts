import { randomUUID } from "node:crypto";
import { LabError } from "../errors.ts";
import type { ServiceContext } from "./context.ts";
import type { Devices } from "./devices.ts";
import type { ImageSigning } from "./image-signing.ts";

/** What ARM calls the capabilities, and the numbers that devices know them by. */
export const DEVICE_CAPABILITIES = { ApplicationDevelopment: 11, FieldServicing: 13 } as const;
export type DeviceCapability = keyof typeof DEVICE_CAPABILITIES;

/** The component of every capability image; a new one replaces the former. */
export const CAPABILITY_COMPONENT = "5b1c9a34-7c1f-4e7b-9a36-0c4d2e8f7a61";
const OTHER = 28;

/**
 * A capability image: a package of type 28 whose payload is the JSON
 * `{"deviceId":…,"capabilities":[11]}`, signed with the production key. Only that device takes it.
 * @throws LabError device-unknown, capability-unknown
 */
export function createCapabilityImage(
  { clock }: ServiceContext,
  devices: Devices,
  signing: ImageSigning,
  request: {
    readonly tenantId: string;
    readonly deviceId: string;
    readonly capabilities: readonly string[];
  },
): Uint8Array {
  const { deviceId } = devices.get(request.tenantId, request.deviceId);
  const capabilities = checkCapabilities(request.capabilities);
  const identity = {
    componentId: CAPABILITY_COMPONENT,
    imageId: randomUUID(),
    name: "device capabilities",
    imageType: OTHER,
  };
  const payload = Buffer.from(JSON.stringify({ deviceId, capabilities }));
  return signing.build(identity, payload, clock.now());
}

/** The numbers of capabilities by their names. @throws LabError capability-unknown */
export const checkCapabilities = (names: readonly string[]): number[] => names.map(numberOf);

function numberOf(name: string): number {
  const number = DEVICE_CAPABILITIES[name as DeviceCapability];
  if (number !== undefined) return number;
  throw new LabError(
    "capability-unknown",
    `There is no device capability '${name}'.`,
    `Choose among ${Object.keys(DEVICE_CAPABILITIES).join(", ")}.`,
  );
}
