import { DeviceError, ERRORS } from "../device/system/device-error.ts";
import { type RestRequest, requireMediaType } from "./request.ts";

/** Reads the fields of a JSON body; a field of the wrong type is `invalidParameter`. */
export interface Fields {
  text(name: string): string;
  optionalText(name: string): string | undefined;
  number(name: string): number;
  optionalBoolean(name: string): boolean | undefined;
  texts(name: string): string[];
}

const invalid = () => new DeviceError(ERRORS.invalidParameter);

/** @throws DeviceError media-type, invalidParameter when the body is no JSON object */
export function fieldsOf(request: RestRequest): Fields {
  requireMediaType(request, "application/json");
  return readerOf(parseObject(request.body));
}

/** As `fieldsOf`, for operations whose body may be left out. */
export function optionalFieldsOf(request: RestRequest): Fields {
  return request.body.length === 0 ? readerOf({}) : fieldsOf(request);
}

function parseObject(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    throw invalid();
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid();
  return value as Record<string, unknown>;
}

function readerOf(object: Record<string, unknown>): Fields {
  const own = (name: string) => (Object.hasOwn(object, name) ? object[name] : undefined);
  const optional = <Type extends "string" | "boolean">(name: string, type: Type) => {
    const value = own(name);
    if (value !== undefined && typeof value !== type) throw invalid();
    return value;
  };
  const optionalText = (name: string) => optional(name, "string") as string | undefined;
  return {
    optionalText,
    text(name) {
      const value = optionalText(name);
      if (value === undefined) throw invalid();
      return value;
    },
    number(name) {
      const value = own(name);
      if (typeof value !== "number") throw invalid();
      return value;
    },
    optionalBoolean: (name) => optional(name, "boolean") as boolean | undefined,
    texts(name) {
      const value = own(name) ?? [];
      const all = Array.isArray(value) && value.every((item) => typeof item === "string");
      if (!all) throw invalid();
      return value as string[];
    },
  };
}
