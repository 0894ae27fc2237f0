import { LabError } from "../errors.ts";
import { isObject, type JsonObject } from "../hub/json.ts";
import type { ApiRequest } from "./api.ts";

/** The body of a request to the lab's API. @throws LabError body-invalid */
export function object({ body }: ApiRequest): JsonObject {
  if (isObject(body as JsonObject)) return body as JsonObject;
  throw new LabError("body-invalid", "The request's body is no JSON object.", "Send an object.");
}

export function text(body: JsonObject, name: string): string {
  const value = body[name];
  if (typeof value === "string" && value !== "") return value;
  throw badField(name, "a text");
}

export function badField(name: string, wanted: string): LabError {
  return new LabError("body-invalid", `The field ${name} has to be ${wanted}.`, "Correct it.");
}
