import azureProvisioning from "azure-iot-provisioning-device";
import provisioningHttp from "azure-iot-provisioning-device-http";
import provisioningMqtt from "azure-iot-provisioning-device-mqtt";
import provisioningService from "azure-iot-provisioning-service";
import azureX509 from "azure-iot-security-x509";
import { DPS_DEVICE_NAME, makeLeaf, type RedirectedHub } from "./support.ts";

const { ProvisioningDeviceClient } = azureProvisioning;
const { ProvisioningServiceClient } = provisioningService;

/** An id as long as those of Azure Sphere. */
export const DEVICE = "0123456789abcdef".repeat(8);

export interface Assigned {
  readonly assignedHub: string;
  readonly deviceId: string;
  readonly substatus: string;
  readonly payload?: unknown;
}

export interface RegisterOptions {
  readonly id?: string;
  readonly scope?: string;
  readonly http?: boolean;
  readonly certificate?: { readonly cert: string; readonly key: string };
  readonly payload?: unknown;
}

/** Registers as a device does, with the official client. */
export async function register(
  lab: RedirectedHub,
  options: RegisterOptions = {},
): Promise<Assigned> {
  const { id = DEVICE, scope = lab.dps.idScope, http, payload } = options;
  const certificate = options.certificate ?? makeLeaf(lab.authority, id, lab.clock.now());
  const client = ProvisioningDeviceClient.create(
    DPS_DEVICE_NAME,
    scope,
    (http ? new provisioningHttp.Http() : new provisioningMqtt.Mqtt()) as never,
    new azureX509.X509Security(id, certificate) as never,
  );
  if (payload !== undefined) client.setProvisioningPayload(payload as never);
  return (await client.register()) as unknown as Assigned;
}

export const groupBody = (lab: RedirectedHub, more: object = {}) => ({
  attestation: {
    type: "x509",
    x509: { signingCertificates: { primary: { certificate: lab.authority.certificate } } },
  },
  ...more,
});

export const addGroup = (lab: RedirectedHub, more: object = {}, id = "group") =>
  lab.dps.groups.put(id, groupBody(lab, more) as never, undefined);

/** The service's official client. */
export const service = (lab: RedirectedHub) =>
  ProvisioningServiceClient.fromConnectionString(lab.dps.connectionString);
