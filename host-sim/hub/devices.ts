import { randomBytes, randomInt } from "node:crypto";
import type { Clock } from "../clock/index.ts";
import type { Store } from "../store/index.ts";
import { HubError } from "./errors.ts";

export type Authentication =
  | { readonly type: "certificateAuthority" }
  | {
      readonly type: "selfSigned";
      readonly x509Thumbprint: {
        readonly primaryThumbprint: string | null;
        readonly secondaryThumbprint: string | null;
      };
    }
  | {
      readonly type: "sas";
      readonly symmetricKey: { readonly primaryKey: string; readonly secondaryKey: string };
    };

/** A device identity as the registry keeps it. */
export interface Device {
  readonly deviceId: string;
  /** Changes when a device is deleted and created again. */
  readonly generationId: string;
  readonly etag: string;
  readonly status: "enabled" | "disabled";
  readonly statusReason: string | null;
  readonly statusUpdatedTime: string;
  readonly lastActivityTime: string;
  readonly authentication: Authentication;
}

/** What a caller gives; missing parts get their defaults. */
export interface DeviceRequest {
  readonly deviceId: string;
  readonly status?: "enabled" | "disabled";
  readonly statusReason?: string | null;
  readonly authentication?: Partial<Authentication> & { readonly type?: string };
}

export type Devices = ReturnType<typeof createDevices>;

const NEVER = "0001-01-01T00:00:00Z";
const DEVICE_ID = /^[A-Za-z0-9\-.+%_#*?!(),:=@$';]{1,128}$/;

/** The identity registry. `onRemoved` runs when a device is disabled or deleted. */
export function createDevices(store: Store, clock: Clock, onRemoved: (deviceId: string) => void) {
  const key = (deviceId: string) => `hub/devices/${deviceId}`;
  const now = () => new Date(clock.now()).toISOString();

  function get(deviceId: string): Device {
    const device = store.get<Device>(key(deviceId));
    if (!device) throw new HubError("DeviceNotFound", `Device ${deviceId} not registered`);
    return device;
  }

  function create(request: DeviceRequest): Device {
    if (!DEVICE_ID.test(request.deviceId)) {
      throw new HubError("ArgumentInvalid", `Device id ${request.deviceId} has other characters`);
    }
    if (store.get(key(request.deviceId))) {
      throw new HubError("DeviceAlreadyExists", `A device with ID '${request.deviceId}' exists`);
    }
    const device: Device = {
      deviceId: request.deviceId,
      generationId: `${clock.now()}${randomInt(1_000_000).toString().padStart(6, "0")}`,
      etag: newEtag(),
      status: request.status ?? "enabled",
      statusReason: request.statusReason ?? null,
      statusUpdatedTime: NEVER,
      lastActivityTime: NEVER,
      authentication: authenticationOf(request.authentication),
    };
    store.put(key(device.deviceId), device);
    return device;
  }

  /** @param etag the version the caller read, or `*` for any */
  function update(request: DeviceRequest, etag: string): Device {
    const before = get(request.deviceId);
    if (etag !== "*" && etag !== before.etag) {
      throw new HubError("PreconditionFailed", `Device ${request.deviceId} was changed meanwhile`);
    }
    const status = request.status ?? before.status;
    const device: Device = {
      ...before,
      etag: newEtag(),
      status,
      statusReason: request.statusReason ?? before.statusReason,
      statusUpdatedTime: status === before.status ? before.statusUpdatedTime : now(),
      authentication: request.authentication
        ? authenticationOf(request.authentication)
        : before.authentication,
    };
    store.put(key(device.deviceId), device);
    if (device.status === "disabled") onRemoved(device.deviceId);
    return device;
  }

  return {
    get,
    find: (deviceId: string) => store.get<Device>(key(deviceId)),
    list: (): Device[] => [...store.entries<Device>("hub/devices/")].map(([, device]) => device),
    create,
    update,
    touch(deviceId: string): void {
      const device = store.get<Device>(key(deviceId));
      if (device) store.put(key(deviceId), { ...device, lastActivityTime: now() });
    },
    delete(deviceId: string): void {
      get(deviceId);
      store.delete(key(deviceId));
      onRemoved(deviceId);
    },
  };
}

/** A version mark that no earlier one equals. */
export function newEtag(): string {
  return randomBytes(8).toString("base64");
}

function authenticationOf(
  given: DeviceRequest["authentication"] = { type: "sas" },
): Authentication {
  switch (given.type ?? "sas") {
    case "certificateAuthority":
      return { type: "certificateAuthority" };
    case "selfSigned": {
      const prints = (given as { x509Thumbprint?: Record<string, string | null> }).x509Thumbprint;
      const primaryThumbprint = prints?.primaryThumbprint ?? null;
      if (!primaryThumbprint) {
        throw new HubError("ArgumentInvalid", "selfSigned needs a primary thumbprint");
      }
      const secondaryThumbprint = prints?.secondaryThumbprint ?? null;
      return { type: "selfSigned", x509Thumbprint: { primaryThumbprint, secondaryThumbprint } };
    }
    case "sas": {
      const keys = (given as { symmetricKey?: { primaryKey?: string; secondaryKey?: string } })
        .symmetricKey;
      return {
        type: "sas",
        symmetricKey: {
          primaryKey: keys?.primaryKey || randomBytes(32).toString("base64"),
          secondaryKey: keys?.secondaryKey || randomBytes(32).toString("base64"),
        },
      };
    }
    default:
      throw new HubError("ArgumentInvalid", `Authentication type ${given.type} is not known`);
  }
}
