import { ArmError } from "./errors.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a handler gets. */
export interface ArmRequest {
  readonly method: string;
  readonly path: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** Whose token it came with. */
  readonly user: string;
  /** `https://name:port` as the caller wrote it: links lead back the same way. */
  readonly base: string;
}

export interface ArmResponse {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type ArmHandler = (request: ArmRequest) => ArmResponse;

/** `GET /path/:name` → handler. */
export type ArmRoutes = Readonly<Record<string, ArmHandler>>;

export const ok = (body: unknown): ArmResponse => ({ status: 200, body });

/** The answer to a DELETE. */
export const deleted = (wasThere: boolean): ArmResponse => ({ status: wasThere ? 200 : 204 });

export function parameter({ parameters }: ArmRequest, name: string): string {
  return parameters[name] ?? "";
}

export function bodyObject({ body }: ArmRequest): JsonObject {
  if (body === undefined) return {};
  if (isObject(body)) return body;
  throw invalid("The request's body is no JSON object.");
}

/** The `properties` of a resource in the body. */
export function properties(request: ArmRequest): JsonObject {
  const { properties: given = {} } = bodyObject(request);
  if (isObject(given)) return given;
  throw invalid("'properties' is no JSON object.");
}

/** A text, or undefined when the field is absent. */
export function textOf(object: JsonObject, name: string): string | undefined {
  const value = object[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw invalid(`'${name}' has to be a text.`);
}

export function requiredText(object: JsonObject, name: string): string {
  const value = textOf(object, name);
  if (value) return value;
  throw invalid(`'${name}' is missing.`);
}

export function textsOf(object: JsonObject, name: string): readonly string[] {
  const value = object[name];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw invalid(`'${name}' has to be a list of texts.`);
}

/** One of an enumeration's values, or undefined when the field is absent. */
export function choiceOf<Choice extends string>(
  object: JsonObject,
  name: string,
  choices: readonly Choice[],
): Choice | undefined {
  const value = textOf(object, name);
  if (value === undefined) return undefined;
  const choice = choices.find((each) => each === value);
  if (choice !== undefined) return choice;
  throw invalid(`'${name}' is '${value}'; it has to be one of ${choices.join(", ")}.`);
}

/** Leaves out what is undefined. */
export function defined<Value extends object>(value: Value): Partial<Value> {
  return Object.fromEntries(
    Object.entries(value).filter(([, each]) => each !== undefined),
  ) as Partial<Value>;
}

export function invalid(message: string): ArmError {
  return new ArmError(400, "InvalidRequestContent", message);
}
