import { isObject, type JsonObject } from "../json.ts";
import { callFunction, same, type Value } from "./functions.ts";
import type { Comparison, Expression, Path } from "./parse.ts";

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
