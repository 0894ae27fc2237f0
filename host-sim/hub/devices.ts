import { randomBytes, randomInt } from "node:crypto";
import type { Clock, TimerHandle } from "../clock/index.ts";
import type { Store } from "../store/index.ts";
import { HubError } from "./errors.ts";

export type Authentication =
  | { readonly type: "certificateAuthority" | "none" }
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

/** An identity as the registry keeps it: of a device, or of a module on one. */
export interface Device {
  readonly deviceId: string;
  /** Only a module has one. */
  readonly moduleId?: string;
  readonly managedBy?: string;
  /** Changes when a device is deleted and created again. */
  readonly generationId: string;
  readonly etag: string;
  readonly status: "enabled" | "disabled";
  readonly statusReason: string | null;
  readonly statusUpdatedTime: string;
  readonly lastActivityTime: string;
  readonly authentication: Authentication;
  readonly iotEdge: boolean;
}

/** `device` or `device/module`: how twins, connections and sessions name an identity. */
export function idOf(identity: { readonly deviceId: string; readonly moduleId?: string }): string {
  const { deviceId, moduleId } = identity;
  return moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`;
}

/** What a caller gives; missing parts get their defaults. */
export interface DeviceRequest {
  readonly deviceId: string;
  readonly moduleId?: string;
  readonly managedBy?: string;
  readonly iotEdge?: boolean;
  readonly status?: "enabled" | "disabled";
  readonly statusReason?: string | null;
  readonly authentication?: Partial<Authentication> & { readonly type?: string };
}

export type Devices = ReturnType<typeof createDevices>;

/** A device id has 128 characters at most, and so has that of its module. */
const LONGEST_ID = 257;
const NEVER = "0001-01-01T00:00:00Z";
/** A kill loses no more of `lastActivityTime` than this. */
const KEEP_ACTIVITY_MS = 1_000;
const MOST_MODULES = 50;
const LONGEST_REASON = 128;
/** What devices, modules and jobs may be called. */
export const ID = /^[A-Za-z0-9\-.+%_#*?!(),:=@$';]{1,128}$/;

export interface DevicesListeners {
  /** It is disabled or deleted: it may not stay connected. */
  onRemoved(id: string): void;
  /** Within the transaction that deletes it, while it is still there: what else goes with it. */
  onDeleting(id: string): void;
}

/** The identity registry. */
export function createDevices(store: Store, clock: Clock, listeners: DevicesListeners) {
  const key = (id: string) => (id.includes("/") ? `hub/modules/${id}` : `hub/devices/${id}`);
  const now = () => new Date(clock.now()).toISOString();
  // Every connect is an activity; they are kept together, some time later, as the service does.
  const activity = new Map<string, string>();
  let keepTimer: TimerHandle | undefined;

  function read(id: string): Device | undefined {
    // Strangers may ask for anything, and the store's keys have an end.
    if (id.length > LONGEST_ID) return undefined;
    const device = store.get<Device>(key(id));
    return device && withActivity(device);
  }

  function withActivity(device: Device): Device {
    const lastActivityTime = activity.get(idOf(device));
    return lastActivityTime === undefined ? device : { ...device, lastActivityTime };
  }

  function keepActivity(): void {
    clock.clearTimer(keepTimer);
    keepTimer = undefined;
    if (activity.size === 0) return;
    store.transaction(() => {
      for (const id of activity.keys()) {
        const device = read(id);
        if (device) store.put(key(id), device);
      }
    });
    activity.clear();
  }

  function get(id: string): Device {
    const device = read(id);
    if (device) return device;
    const [deviceId = "", moduleId] = id.split("/");
    if (moduleId !== undefined && store.get(key(deviceId))) {
      throw new HubError(
        "ModuleNotFound",
        `Module ${moduleId} on device ${deviceId} not registered`,
      );
    }
    throw new HubError("DeviceNotFound", `Device ${deviceId} not registered`);
  }

  function modulesOf(deviceId: string): Device[] {
    return [...store.entries<Device>(key(`${deviceId}/`))].map(([, each]) => withActivity(each));
  }

  function requireNew(request: DeviceRequest): void {
    const { deviceId, moduleId } = request;
    if (![deviceId, moduleId ?? deviceId].every((id) => ID.test(id))) {
      throw new HubError("ArgumentInvalid", `The id ${idOf(request)} has other characters`);
    }
    requireReason(request);
    if (moduleId !== undefined) get(deviceId);
    if (!store.get(key(idOf(request)))) return requireRoom(request);
    if (moduleId === undefined) {
      throw new HubError("DeviceAlreadyExists", `A device with ID '${deviceId}' exists`);
    }
    throw new HubError("ModuleAlreadyExistsOnDevice", `Module '${moduleId}' exists on ${deviceId}`);
  }

  function requireRoom({ deviceId, moduleId }: DeviceRequest): void {
    if (moduleId === undefined || modulesOf(deviceId).length < MOST_MODULES) return;
    throw new HubError(
      "TooManyModulesOnDevice",
      `${deviceId} has ${MOST_MODULES} modules already, more than that no device has`,
    );
  }

  function requireEtag(before: Device, etag: string): void {
    if (etag === "*" || etag === before.etag) return;
    throw new HubError("PreconditionFailed", `${idOf(before)} was changed meanwhile`);
  }

  function create(request: DeviceRequest): Device {
    return store.transaction(() => createNew(request));
  }

  function createNew(request: DeviceRequest): Device {
    requireNew(request);
    const { deviceId, moduleId, managedBy } = request;
    const device: Device = {
      deviceId,
      ...(moduleId === undefined ? {} : { moduleId, managedBy: managedBy ?? "" }),
      generationId: `${clock.now()}${randomInt(1_000_000).toString().padStart(6, "0")}`,
      etag: newEtag(),
      status: request.status ?? "enabled",
      statusReason: request.statusReason ?? null,
      statusUpdatedTime: NEVER,
      lastActivityTime: NEVER,
      authentication: authenticationOf(request.authentication),
      iotEdge: request.iotEdge ?? false,
    };
    store.put(key(idOf(device)), device);
    return device;
  }

  /** @param etag the version the caller read, or `*` for any */
  function update(request: DeviceRequest, etag: string): Device {
    const device = store.transaction(() => changed(request, etag));
    if (device.status === "disabled") {
      for (const module of modulesOf(device.deviceId)) listeners.onRemoved(idOf(module));
      listeners.onRemoved(idOf(device));
    }
    return device;
  }

  function changed(request: DeviceRequest, etag: string): Device {
    const before = get(idOf(request));
    requireEtag(before, etag);
    requireReason(request);
    const status = request.status ?? before.status;
    const device: Device = {
      ...before,
      etag: newEtag(),
      status,
      statusReason: request.statusReason === undefined ? before.statusReason : request.statusReason,
      statusUpdatedTime: status === before.status ? before.statusUpdatedTime : now(),
      authentication: request.authentication
        ? authenticationOf(request.authentication)
        : before.authentication,
      iotEdge: request.iotEdge ?? before.iotEdge,
    };
    store.put(key(idOf(device)), device);
    return device;
  }

  return {
    get,
    find: read,
    modulesOf,
    /** All devices; without modules. */
    list: (): Device[] =>
      [...store.entries<Device>("hub/devices/")].map(([, device]) => withActivity(device)),
    create,
    update,
    touch(id: string): void {
      activity.set(id, now());
      keepTimer ??= clock.setTimer(KEEP_ACTIVITY_MS, keepActivity);
    },
    /** A device goes with its modules. */
    delete(id: string, etag = "*"): void {
      const identity = get(id);
      requireEtag(identity, etag);
      const all = identity.moduleId === undefined ? modulesOf(id) : [];
      store.transaction(() => {
        for (const each of [...all, identity]) {
          listeners.onDeleting(idOf(each));
          store.delete(key(idOf(each)));
        }
      });
      for (const each of [...all, identity]) listeners.onRemoved(idOf(each));
      for (const each of [...all, identity]) activity.delete(idOf(each));
    },
    /** Keeps what is known of activity. */
    stop: keepActivity,
  };
}

/** A version mark that no earlier one equals. */
export function newEtag(): string {
  return randomBytes(8).toString("base64");
}

function requireReason({ statusReason }: DeviceRequest): void {
  if ((statusReason ?? "").length <= LONGEST_REASON) return;
  throw new HubError("ArgumentInvalid", `statusReason has at most ${LONGEST_REASON} characters`);
}

function authenticationOf(
  given: DeviceRequest["authentication"] = { type: "sas" },
): Authentication {
  switch (given.type ?? "sas") {
    case "certificateAuthority":
    case "none":
      return { type: given.type as "certificateAuthority" | "none" };
    case "selfSigned": {
      const prints = (given as { x509Thumbprint?: Record<string, unknown> }).x509Thumbprint;
      const primaryThumbprint = thumbprintFrom(prints?.primaryThumbprint);
      if (primaryThumbprint === null) {
        throw new HubError("ArgumentInvalid", "selfSigned needs a primary thumbprint");
      }
      const secondaryThumbprint = thumbprintFrom(prints?.secondaryThumbprint);
      return { type: "selfSigned", x509Thumbprint: { primaryThumbprint, secondaryThumbprint } };
    }
    case "sas": {
      const keys = (given as { symmetricKey?: Record<string, unknown> }).symmetricKey;
      const symmetricKey = {
        primaryKey: keyFrom(keys?.primaryKey),
        secondaryKey: keyFrom(keys?.secondaryKey),
      };
      return { type: "sas", symmetricKey };
    }
    default:
      throw new HubError("ArgumentInvalid", `Authentication type ${given.type} is not known`);
  }
}

/** @returns null for none; SHA-1 or SHA-256 in hex otherwise */
function thumbprintFrom(value: unknown): string | null {
  if (value === undefined || value === null || value === "") return null;
  const isPrint = typeof value === "string" && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(value);
  if (isPrint) return value;
  throw new HubError("ArgumentInvalid", "A thumbprint has 40 (SHA-1) or 64 (SHA-256) hex digits");
}

/** A key that was given, or a fresh one. */
function keyFrom(value: unknown): string {
  if (value === undefined || value === null || value === "") {
    return randomBytes(32).toString("base64");
  }
  if (isSymmetricKey(value)) return value;
  throw new HubError("ArgumentInvalid", "A symmetric key is base64 of 16 to 64 bytes");
}

export function isSymmetricKey(value: unknown): value is string {
  const bytes = Buffer.from(String(value), "base64");
  const isBase64 = bytes.toString("base64") === value;
  return isBase64 && bytes.length >= 16 && bytes.length <= 64;
}
