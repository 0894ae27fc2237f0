import { isObject, type Json, type JsonObject } from "../json.ts";
import type { Comparison, Expression, Path } from "./parse.ts";
import { queryProblem } from "./tokens.ts";

type Value = Json | undefined;

/** What a path leads to; undefined where nothing is. */
export function lookUp(row: JsonObject, path: Path): Value {
  let value: Value = row;
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

/** Whether a condition holds for a row; a comparison with what is not there does not. */
export function holds(expression: Expression, row: JsonObject): boolean {
  return evaluate(expression, row) === true;
}

function evaluate(expression: Expression, row: JsonObject): Value {
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "path":
      return lookUp(row, expression.path);
    case "and":
      return holds(expression.left, row) && holds(expression.right, row);
    case "or":
      return holds(expression.left, row) || holds(expression.right, row);
    case "not":
      return !holds(expression.inner, row);
    case "in": {
      const left = evaluate(expression.left, row);
      const found = expression.list.some((item) => same(left, evaluate(item, row)));
      return left !== undefined && found !== expression.negated;
    }
    case "compare":
      return compare(
        expression.operator,
        evaluate(expression.left, row),
        evaluate(expression.right, row),
      );
    case "call":
      return callFunction(
        expression.name,
        expression.args.map((argument) => evaluate(argument, row)),
      );
  }
}

function same(left: Value, right: Value): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

function compare(operator: Comparison, left: Value, right: Value): boolean {
  if (left === undefined || right === undefined) return false;
  if (operator === "=") return same(left, right);
  if (operator === "!=") return !same(left, right);
  const sameKind = typeof left === typeof right;
  if (!sameKind || (typeof left !== "number" && typeof left !== "string")) return false;
  const order = left < (right as number | string) ? -1 : left > (right as number | string) ? 1 : 0;
  if (operator === "<") return order < 0;
  if (operator === ">") return order > 0;
  return operator === "<=" ? order <= 0 : order >= 0;
}

const FUNCTIONS: Readonly<Record<string, (...args: Value[]) => Value>> = {
  is_defined: (value) => value !== undefined,
  is_null: (value) => value === null,
  is_bool: (value) => typeof value === "boolean",
  is_number: (value) => typeof value === "number",
  is_string: (value) => typeof value === "string",
  is_object: (value) => isObject(value),
  is_primitive: (value) => value === null || ["boolean", "number", "string"].includes(typeof value),
  startswith: (text, part) => bothTexts(text, part, (a, b) => a.startsWith(b)),
  endswith: (text, part) => bothTexts(text, part, (a, b) => a.endsWith(b)),
  contains: (text, part) =>
    Array.isArray(text)
      ? text.some((item) => same(item, part))
      : bothTexts(text, part, (a, b) => a.includes(b)),
};

function bothTexts(a: Value, b: Value, test: (a: string, b: string) => boolean): boolean {
  return typeof a === "string" && typeof b === "string" && test(a, b);
}

function callFunction(name: string, args: readonly Value[]): Value {
  const run = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (!run) throw queryProblem(`the function ${name} is not known`);
  return run(...args);
}
