import { isObject, type Json } from "../json.ts";
import { queryProblem } from "./tokens.ts";

/** What an expression comes to; undefined where nothing is. */
export type Value = Json | undefined;

export function same(left: Value, right: Value): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

/** Name → how many arguments it takes, and what it comes to. */
const FUNCTIONS: Readonly<Record<string, readonly [arity: number, (...args: Value[]) => Value]>> = {
  is_defined: [1, (value) => value !== undefined],
  is_null: [1, (value) => value === null],
  is_bool: [1, (value) => typeof value === "boolean"],
  is_number: [1, (value) => typeof value === "number"],
  is_string: [1, (value) => typeof value === "string"],
  is_object: [1, (value) => isObject(value)],
  is_array: [1, (value) => Array.isArray(value)],
  is_primitive: [
    1,
    (value) => value === null || ["boolean", "number", "string"].includes(typeof value),
  ],
  startswith: [2, (text, part) => bothTexts(text, part, (a, b) => a.startsWith(b))],
  endswith: [2, (text, part) => bothTexts(text, part, (a, b) => a.endsWith(b))],
  contains: [
    2,
    (text, part) =>
      Array.isArray(text)
        ? text.some((item) => same(item, part))
        : bothTexts(text, part, (a, b) => a.includes(b)),
  ],
};

/** Two pages of the documentation spell them differently. */
const SPELLINGS = new Map([
  ["starts_with", "startswith"],
  ["ends_with", "endswith"],
]);

function bothTexts(a: Value, b: Value, test: (a: string, b: string) => boolean): boolean {
  return typeof a === "string" && typeof b === "string" && test(a, b);
}

/** The function's own name. @throws HubError ArgumentInvalid for one that is not known */
export function functionNamed(given: string, argumentCount: number): string {
  const lower = given.toLowerCase();
  const name = SPELLINGS.get(lower) ?? lower;
  const known = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (!known) throw queryProblem(`the function ${given} is not known`);
  const [arity] = known;
  if (arity === argumentCount) return name;
  throw queryProblem(`the function ${given} takes ${arity} arguments, not ${argumentCount}`);
}

/** @param name as `functionNamed` gave it */
export function callFunction(name: string, args: readonly Value[]): Value {
  return FUNCTIONS[name]?.[1](...args);
}
