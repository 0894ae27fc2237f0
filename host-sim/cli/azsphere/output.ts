import { format as formatOf, type OutputFormat } from "../output.ts";
import type { Given, Grammar, Result } from "./table.ts";
import { optional } from "./table.ts";

/** The text that a command's result becomes. */
export async function render(result: Result, given: Given, grammar: Grammar): Promise<string> {
  const output = optional(given, "output");
  const query = optional(given, "query");
  const plain = output === undefined && query === undefined && grammar === "azsphere";
  if (plain && result.text !== undefined) return ended([result.text].flat().join("\n"));
  if (result.value === undefined) {
    return output === undefined && result.text !== undefined
      ? ended([result.text].flat().join("\n"))
      : "";
  }
  const chosen = output ?? (grammar === "az" ? "json" : "table");
  if (chosen !== "table") {
    return ended(await formatOf(result.value, { output: known(chosen), query }));
  }
  const picked = JSON.parse(await formatOf(result.value, { output: "json", query }));
  return ended(grammar === "az" ? await formatOf(picked, { output: "table" }) : boxed(picked));
}

const known = (output: string) => (output === "yamlc" ? "yaml" : output) as OutputFormat;

const ended = (text: string) => (text === "" || text.endsWith("\n") ? text : `${text}\n`);

/** The table of `azsphere`: rules of dashes, and one of equal signs below the header. */
export function boxed(value: unknown): string {
  const rows = rowsOf(value);
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (columns.length === 0) return "";
  const cells = rows.map((row) => columns.map((column) => cell(row[column])));
  const titles = columns.map(title);
  const widths = titles.map((name, index) =>
    Math.max(name.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  const line = (texts: readonly string[]) =>
    texts
      .map((text, index) => text.padEnd(widths[index] ?? 0))
      .join(" ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join(" ");
  const thick = "=".repeat(rule.length);
  return [rule, line(titles), thick, ...cells.flatMap((texts) => [line(texts), rule])].join("\n");
}

function rowsOf(value: unknown): Record<string, unknown>[] {
  if (value === undefined || value === null) return [];
  return [value]
    .flat()
    .map((item) =>
      typeof item === "object" && item !== null
        ? (item as Record<string, unknown>)
        : { Result: item },
    );
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** `deviceGroupId` → `Device Group Id`, `ip_address` → `Ip Address`. */
function title(key: string): string {
  const words = key.replace(/([a-z0-9])([A-Z])/g, "$1 $2").split(/[ _-]+/);
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(" ");
}

/** `Name   : value` lines with the colons below each other. */
export function aligned(rows: readonly (readonly [string, unknown])[]): string {
  const shown = rows.filter(([, value]) => value !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)} : ${cell(value)}`).join("\n");
}
