import { LabError } from "../../errors.ts";

/** One comparison of a `$filter`. */
interface Term {
  readonly field: string;
  readonly operator: "eq" | "ne" | "contains" | "startswith";
  readonly value: string;
}

const COMPARISON = /^([\w/]+)\s+(eq|ne)\s+(?:'((?:[^']|'')*)'|([\w.-]+))$/;
const FUNCTION = /^(contains|startswith)\(\s*([\w/]+)\s*,\s*'((?:[^']|'')*)'\s*\)$/;

/**
 * Reads the part of OData that a list understands: `eq`, `ne`, `contains` and `startswith`, joined by
 * `and`.
 * @throws LabError filter-invalid
 */
export function parseFilter(filter: string): Term[] {
  if (filter.trim() === "") return [];
  return splitAtAnd(filter).map(parseTerm);
}

/** Whether a resource fits; fields are looked up in its properties and in itself. */
export function matches(resource: object, terms: readonly Term[]): boolean {
  return terms.every(({ field, operator, value }) => {
    const name = field.split("/").at(-1) ?? "";
    const { properties = {} } = resource as { properties?: object };
    const found = String(lookUp(properties, name) ?? lookUp(resource, name) ?? "").toLowerCase();
    const wanted = value.toLowerCase();
    if (operator === "eq") return found === wanted;
    if (operator === "ne") return found !== wanted;
    return operator === "contains" ? found.includes(wanted) : found.startsWith(wanted);
  });
}

function lookUp(object: object, name: string): unknown {
  const entry = Object.entries(object).find(([key]) => key.toLowerCase() === name.toLowerCase());
  return entry?.[1];
}

/** An `and` inside of a quoted text joins nothing. */
function splitAtAnd(filter: string): string[] {
  const parts = filter.match(/'(?:[^']|'')*'|[^']+|'/g) ?? [];
  const marked = parts.map((part) =>
    part.startsWith("'") ? part : part.replace(/\s+and\s+/gi, "\u0000"),
  );
  return marked.join("").split("\u0000");
}

function parseTerm(text: string): Term {
  const trimmed = text.trim();
  const comparison = COMPARISON.exec(trimmed);
  if (comparison) {
    const [, field = "", operator, quoted, bare] = comparison;
    const value = quoted?.replaceAll("''", "'") ?? bare ?? "";
    return { field, operator: operator as Term["operator"], value };
  }
  const call = FUNCTION.exec(trimmed);
  if (call) {
    const [, operator, field = "", value = ""] = call;
    return { field, operator: operator as Term["operator"], value: value.replaceAll("''", "'") };
  }
  throw new LabError(
    "filter-invalid",
    `The filter '${trimmed}' cannot be read.`,
    "Write for example $filter=name eq 'Production' or contains(description,'field').",
  );
}
