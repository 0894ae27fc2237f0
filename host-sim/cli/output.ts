import { LabError, messageOf } from "../errors.ts";

export type OutputFormat = "table" | "json" | "jsonc" | "tsv" | "yaml" | "none";

export const OUTPUT_FORMATS: readonly OutputFormat[] = [
  "table",
  "json",
  "jsonc",
  "tsv",
  "yaml",
  "none",
];

export interface OutputOptions {
  /** How to write; a table on a terminal and tab-separated text otherwise when absent. */
  readonly output?: OutputFormat;
  /** A JMESPath expression, applied before writing. */
  readonly query?: string;
}

/** Writes a command's result to standard output in the format that the user asked for. */
export async function print(value: unknown, options: OutputOptions = {}): Promise<void> {
  const text = await format(value, options);
  if (text !== "") process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}

/** The text that `print` writes. */
export async function format(value: unknown, options: OutputOptions = {}): Promise<string> {
  const chosen = options.query === undefined ? value : await query(value, options.query);
  switch (options.output ?? (process.stdout.isTTY ? "table" : "tsv")) {
    case "json":
      return JSON.stringify(chosen ?? null, null, 2);
    case "jsonc":
      return process.stdout.isTTY
        ? colouredJson(JSON.stringify(chosen ?? null, null, 2))
        : JSON.stringify(chosen ?? null, null, 2);
    case "yaml": {
      const { stringify } = await import("yaml");
      return stringify(chosen ?? null);
    }
    case "tsv":
      return rowsOf(chosen)
        .map((row) => Object.values(row).map(tsvCell).join("\t"))
        .join("\n");
    case "none":
      return "";
    default:
      return table(rowsOf(chosen));
  }
}

async function query(value: unknown, expression: string): Promise<unknown> {
  const { search } = await import("jmespath");
  try {
    return search(value, expression);
  } catch (error) {
    throw new LabError(
      "query-invalid",
      `--query ${JSON.stringify(expression)} is no JMESPath expression: ${messageOf(error)}.`,
      'See https://jmespath.org/tutorial.html, for example --query "[].name".',
    );
  }
}

/** One row an object; a single value becomes one row with one column. */
function rowsOf(value: unknown): Record<string, unknown>[] {
  if (value === undefined || value === null) return [];
  const list = Array.isArray(value) ? value : [value];
  return list.map((item) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? (item as Record<string, unknown>)
      : { value: item },
  );
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Tabs and line ends would break the row. */
function tsvCell(value: unknown): string {
  return cell(value).replace(/[\t\r\n]/g, " ");
}

/** Columns are as wide as their longest cell; nothing is cut, so that ids can be copied. */
export function table(rows: readonly Record<string, unknown>[]): string {
  if (rows.length === 0) return "";
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) => columns.map((column) => cell(row[column])));
  const width = columns.map((column, index) =>
    Math.max(column.length, ...lines.map((line) => line[index]?.length ?? 0)),
  );
  const pad = (cells: readonly string[]) =>
    cells
      .map((text, index) => text.padEnd(width[index] ?? 0))
      .join("  ")
      .trimEnd();
  const title = columns.map((column) => column.charAt(0).toUpperCase() + column.slice(1));
  return [pad(title), pad(width.map((count) => "-".repeat(count))), ...lines.map(pad)].join("\n");
}

const JSON_TOKEN =
  /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function colouredJson(text: string): string {
  return text.replace(JSON_TOKEN, (token, string?: string, colon?: string, word?: string) => {
    if (string && colon) return `\u001b[34m${string}\u001b[0m${colon}`;
    if (string) return `\u001b[32m${string}\u001b[0m`;
    return word ? `\u001b[35m${token}\u001b[0m` : `\u001b[36m${token}\u001b[0m`;
  });
}
