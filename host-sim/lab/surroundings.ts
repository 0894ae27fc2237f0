import { Ajv, type JSONSchemaType } from "ajv";
import type { SphereOs } from "../device/sphere-os.ts";
import { type AccessPoint, addressFor, type WifiSecurity } from "../device/system/air.ts";
import { DeviceError } from "../device/system/device-error.ts";
import type { DnsConfig, IpConfig, LocalNetwork } from "../device/system/ip-config.ts";
import type { TimeSyncConfig } from "../device/system/time-sync.ts";
import { LabError } from "../errors.ts";
import type { ApiHandler, ApiRoutes } from "./api.ts";

/** An access point as somebody puts it up; hardware address and channel are found for it. */
interface NewAccessPoint {
  readonly ssid: string;
  readonly security: WifiSecurity;
  readonly psk?: string;
  readonly hidden?: boolean;
  readonly internet?: boolean;
  readonly signal?: number;
}

const ajv = new Ajv({ useDefaults: true });
const text = { type: "string", minLength: 1 } as const;
const texts = { type: "array", items: { type: "string" } } as const;
const accessPoint = {
  type: "object",
  required: ["ssid", "security"],
  additionalProperties: false,
  properties: {
    ssid: { type: "string", minLength: 1, maxLength: 32 },
    security: { type: "string", enum: ["open", "psk", "eaptls"] },
    psk: { type: "string", minLength: 8, maxLength: 63, nullable: true },
    hidden: { type: "boolean", nullable: true },
    internet: { type: "boolean", nullable: true },
    signal: { type: "integer", minimum: -120, maximum: -1, nullable: true },
  },
} as const satisfies JSONSchemaType<NewAccessPoint>;

const FREQUENCY = 2437;
const SIGNAL = -50;
const SUBNET = "192.168.88";

/** What surrounds the device, and settings that only an app or the service could change otherwise. */
export function surroundingsRoutes({ system }: SphereOs): ApiRoutes {
  const { air, interfaces, manufacturing, timeSync } = system;
  return {
    "GET /device/access-points": () =>
      air.accessPoints.map(({ radius: _authorities, ...shown }) => shown),
    "PUT /device/access-points": taking<NewAccessPoint[]>(
      { type: "array", items: accessPoint },
      (list) => air.set(list.map((each) => putUp(each, system.radius))),
    ),
    "PUT /device/cable": taking<Partial<LocalNetwork>>(
      record({ subnet: { type: "string", pattern: "^(\\d{1,3}\\.){2}\\d{1,3}$" } }, [], {
        internet: { type: "boolean" },
      }),
      ({ subnet, internet = true }) =>
        interfaces.setCable(subnet ? { subnet, internet } : undefined),
    ),
    "PUT /device/capabilities": taking<{ capabilities: number[] }>(
      record({ capabilities: { type: "array", items: { type: "integer" } } }, ["capabilities"]),
      ({ capabilities }) => manufacturing.setCapabilities(capabilities),
    ),
    "PUT /device/ip/:interface": (request) =>
      taking<IpConfig>(
        record({ mode: { enum: ["static", "dynamic"] } }, ["mode"], {
          ...{ address: text, mask: text, gateway: text },
        }),
        (config) => interfaces.setIp(request.parameters.interface ?? "", config),
      )(request),
    "PUT /device/dns": taking<DnsConfig>(
      record({ mode: { enum: ["automatic", "servers"] } }, ["mode"], {
        servers: { ...texts, default: [] },
      }),
      (config) => interfaces.setDns(config),
    ),
    "PUT /device/time-sync": taking<TimeSyncConfig>(
      record({ enabled: { type: "boolean" }, servers: texts }, ["enabled", "servers"]),
      (config) => timeSync.configure(config),
    ),
  };
}

function record(properties: object, required: readonly string[], optional: object = {}) {
  const all = { ...properties, ...optional };
  return { type: "object", properties: all, required, additionalProperties: false };
}

/** A handler whose body has been checked; the device's own refusals become the lab's. */
function taking<Body>(schema: object, run: (body: Body) => void): ApiHandler {
  const validate = ajv.compile(schema);
  return ({ body }) => {
    if (!validate(body)) {
      const problem = ajv.errorsText(validate.errors, { dataVar: "The request's body" });
      throw new LabError("body-invalid", `${problem}.`, "docs/device-rest.md has examples.");
    }
    try {
      run(body as Body);
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      throw new LabError(
        "device-refused",
        `The device refuses it with error ${error.number}.`,
        "docs/device-rest.md lists the numbers.",
      );
    }
  };
}

function putUp(added: NewAccessPoint, radius: AccessPoint["radius"]): AccessPoint {
  const { ssid, security, psk, hidden, internet = true, signal = SIGNAL } = added;
  return {
    ...{ ssid, security, psk, hidden, internet, signal },
    ...{ bssid: addressFor(ssid), frequency: FREQUENCY, subnet: SUBNET },
    ...(security === "eaptls" ? { radius } : {}),
  };
}
