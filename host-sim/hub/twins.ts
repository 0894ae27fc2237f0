import type { Clock } from "../clock/index.ts";
import type { Store } from "../store/index.ts";
import { newEtag } from "./devices.ts";
import { HubError } from "./errors.ts";
import { isObject, type Json, type JsonObject, merge } from "./json.ts";

/** Desired or reported properties with their version and times of change. */
export interface Section {
  readonly values: JsonObject;
  readonly version: number;
  /** Mirrors `values`; each level carries `$lastUpdated`, of desired ones `$lastUpdatedVersion`. */
  readonly metadata: JsonObject;
}

export interface Twin {
  readonly etag: string;
  readonly version: number;
  readonly tags: JsonObject;
  readonly desired: Section;
  readonly reported: Section;
  readonly modelId: string;
}

/** What a service wants of a twin. */
export interface TwinChange {
  readonly tags?: unknown;
  readonly desired?: unknown;
}

type SectionName = "desired" | "reported";
export type Twins = ReturnType<typeof createTwins>;
type DesiredListener = (deviceId: string, patch: JsonObject) => void;

/** They do not count for the size of a twin. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are meant
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;
const MAX_KEY_BYTES = 1024;
const MAX_STRING_BYTES = 4096;
const MAX_DEPTH = 10;
const MAX_INTEGER = 4503599627370495;
const MAX_BYTES = { tags: 8192, desired: 32_768, reported: 32_768 } as const;

/** Twins of all devices. `onDesired` is told every accepted change of desired properties. */
export function createTwins(store: Store, clock: Clock, onDesired: DesiredListener) {
  const key = (deviceId: string) => `hub/twins/${deviceId}`;
  const now = () => new Date(clock.now()).toISOString();

  const get = (deviceId: string): Twin => store.get<Twin>(key(deviceId)) ?? emptyTwin();

  function save(deviceId: string, twin: Twin, changed: Partial<Twin>): Twin {
    const next = { ...twin, ...changed, etag: newEtag(), version: twin.version + 1 };
    store.put(key(deviceId), next);
    return next;
  }

  function patched(section: Section, patch: JsonObject, kind: SectionName): Section {
    return sectionWith(section, patch, kind, merge(section.values, patch), section.metadata);
  }

  /** A section after `change`, which was merged into what stands in `values`. */
  function sectionWith(
    before: Section,
    change: JsonObject,
    kind: SectionName,
    values: JsonObject,
    metadata: JsonObject,
  ): Section {
    requireSize(values, kind);
    const version = before.version + 1;
    const stamp = {
      $lastUpdated: now(),
      ...(kind === "desired" ? { $lastUpdatedVersion: version } : {}),
    };
    return { values, version, metadata: stamped(metadata, change, stamp) };
  }

  function requireEtag(deviceId: string, twin: Twin, etag: string): void {
    if (etag === "*" || etag === twin.etag) return;
    throw new HubError("PreconditionFailed", `The twin of ${deviceId} was changed meanwhile`);
  }

  /** Reads and writes in one transaction, then tells the device what it has to know. */
  function changeDesired(
    deviceId: string,
    etag: string,
    change: (twin: Twin) => Pick<Twin, "tags"> & { desired?: Section; patch?: JsonObject },
  ): Twin {
    const [next, patch] = store.transaction(() => {
      const twin = get(deviceId);
      requireEtag(deviceId, twin, etag);
      const { patch: told, ...changed } = change(twin);
      return [save(deviceId, twin, changed), told] as const;
    });
    if (patch) onDesired(deviceId, { ...patch, $version: next.desired.version });
    return next;
  }

  return {
    get,
    /** @throws HubError ArgumentInvalid, MessageTooLarge, PreconditionFailed */
    patchReported(deviceId: string, patch: unknown, expectedVersion?: number): Twin {
      const change = checkedPatch(patch);
      return store.transaction(() => {
        const twin = get(deviceId);
        requireVersion(twin.reported, expectedVersion);
        return save(deviceId, twin, { reported: patched(twin.reported, change, "reported") });
      });
    },
    /** Tags and desired properties, as services change them; null in place of either clears it. */
    patch(deviceId: string, change: TwinChange, etag = "*"): Twin {
      return changeDesired(deviceId, etag, (twin) => {
        const tags = change.tags === undefined ? twin.tags : patchedTags(twin.tags, change.tags);
        if (change.desired === undefined) return { tags };
        const patch = checkedPatch(change.desired ?? nullsFor(twin.desired.values));
        return { tags, patch, desired: patched(twin.desired, patch, "desired") };
      });
    },
    /** Replaces all desired properties and tags; the device gets the new section as a whole. */
    replace(deviceId: string, change: TwinChange, etag = "*"): Twin {
      const tags = patchedTags({}, change.tags ?? {});
      const patch = merge({}, checkedPatch(change.desired ?? {}));
      return changeDesired(deviceId, etag, (twin) => ({
        ...{ tags, patch },
        desired: sectionWith(twin.desired, patch, "desired", patch, {}),
      }));
    },
    setModelId(deviceId: string, modelId: string): void {
      if (get(deviceId).modelId === modelId) return;
      store.transaction(() => store.put(key(deviceId), { ...get(deviceId), modelId }));
    },
    delete: (deviceId: string) => store.delete(key(deviceId)),
  };
}

/** `{"desired":{…,"$version":n},"reported":{…,"$version":m}}`, what a device gets. */
export function twinForDevice(twin: Twin): JsonObject {
  return {
    desired: { ...twin.desired.values, $version: twin.desired.version },
    reported: { ...twin.reported.values, $version: twin.reported.version },
  };
}

function emptyTwin(): Twin {
  const never = "0001-01-01T00:00:00Z";
  const section = { values: {}, version: 1, metadata: { $lastUpdated: never } };
  return {
    etag: "AAAAAAAAAAE=",
    version: 1,
    tags: {},
    desired: section,
    reported: section,
    modelId: "",
  };
}

function requireVersion(section: Section, expected: number | undefined): void {
  if (expected === undefined || expected === section.version) return;
  throw new HubError(
    "PreconditionFailed",
    `The reported properties have version ${section.version}, not ${expected}`,
  );
}

function patchedTags(tags: JsonObject, patch: unknown): JsonObject {
  const next = merge(tags, checkedPatch(patch ?? nullsFor(tags)));
  requireSize(next, "tags");
  return next;
}

/** The patch that deletes everything. */
function nullsFor(values: JsonObject): JsonObject {
  return Object.fromEntries(Object.keys(values).map((name) => [name, null]));
}

/** A patch without `$version` and `$metadata`, which clients send back and the hub ignores. */
function checkedPatch(patch: unknown): JsonObject {
  if (!isObject(patch)) {
    throw new HubError("ArgumentInvalid", "The properties of a twin are a JSON object");
  }
  const { $version: _version, $metadata: _metadata, ...change } = patch;
  requireLegal(change, 1);
  return change;
}

/** @param lists how many lists stand around the value, up to the next object */
function requireLegal(value: Json, depth: number, lists = 0): void {
  if (typeof value === "string" && Buffer.byteLength(value) > MAX_STRING_BYTES) {
    throw new HubError(
      "ArgumentInvalid",
      `A string of a twin has at most ${MAX_STRING_BYTES} bytes`,
    );
  }
  if (
    Number.isInteger(value) &&
    Math.abs(value as number) > MAX_INTEGER + (Number(value) < 0 ? 1 : 0)
  ) {
    throw new HubError("ArgumentInvalid", `An integer of a twin is at most ${MAX_INTEGER}`);
  }
  if (Array.isArray(value)) {
    if (lists === MAX_DEPTH) {
      throw new HubError("ArgumentInvalid", `A twin has at most ${MAX_DEPTH} lists in each other`);
    }
    for (const item of value) requireLegal(item, depth, lists + 1);
  }
  if (!isObject(value)) return;
  if (depth > MAX_DEPTH) {
    throw new HubError("ArgumentInvalid", `A twin has at most ${MAX_DEPTH} levels of objects`);
  }
  for (const [name, item] of Object.entries(value)) {
    requireKey(name);
    requireLegal(item, depth + 1);
  }
}

function requireKey(name: string): void {
  if (Buffer.byteLength(name) > MAX_KEY_BYTES) {
    throw new HubError("ArgumentInvalid", `A name in a twin has at most ${MAX_KEY_BYTES} bytes`);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the hub refuses just these
  if (name === "" || /[.$ \u0000-\u001f\u007f-\u009f]/.test(name)) {
    throw new HubError(
      "ArgumentInvalid",
      `The name ${JSON.stringify(name)} has a dot, a dollar sign, a space or a control character`,
    );
  }
}

function requireSize(values: JsonObject, kind: keyof typeof MAX_BYTES): void {
  if (sizeOf(values) <= MAX_BYTES[kind]) return;
  throw new HubError(
    "MessageTooLarge",
    `The ${kind} of a twin have at most ${MAX_BYTES[kind]} bytes`,
  );
}

/** The documented measure: names and strings in bytes, a number 8, a boolean 4. */
function sizeOf(value: Json): number {
  if (typeof value === "string") return Buffer.byteLength(value.replace(CONTROLS, ""));
  if (typeof value === "number") return 8;
  if (typeof value === "boolean") return 4;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + sizeOf(item), 0);
  if (!isObject(value)) return 0;
  return Object.entries(value).reduce(
    (sum, [name, item]) => sum + Buffer.byteLength(name) + sizeOf(item),
    0,
  );
}

/** Metadata after a patch: what it names carries the stamp, and so does each level above. */
function stamped(metadata: JsonObject, patch: JsonObject, stamp: JsonObject): JsonObject {
  const result = new Map<string, Json>(Object.entries({ ...metadata, ...stamp }));
  for (const [key, value] of Object.entries(patch)) {
    const before = result.get(key);
    if (value === null) result.delete(key);
    else if (isObject(value))
      result.set(key, stamped(isObject(before) ? before : {}, value, stamp));
    else result.set(key, stamp);
  }
  return Object.fromEntries(result);
}
