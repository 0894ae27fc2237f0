import type { Hub } from "../hub.ts";
import type { Json, JsonObject } from "../json.ts";
import { holds, lookUp } from "./evaluate.ts";
import { type Aggregate, type Column, parseQuery, type Query } from "./parse.ts";
import { identityRows } from "./rows.ts";

export interface QueryResult {
  readonly rows: readonly JsonObject[];
  /** As the header `x-ms-item-type` names it. */
  readonly itemType: "Twin" | "DeviceJob" | "Raw";
}

/** Runs a query of the IoT Hub query language. @throws HubError ArgumentInvalid */
export function runQuery(hub: Hub, text: string): QueryResult {
  const query = parseQuery(text);
  const all = identityRows(hub, query.source);
  const { where } = query;
  const chosen = where ? all.filter((row) => holds(where, row)) : all;
  const rows = resultRows(query, chosen);
  const whole = query.source === "devices.jobs" ? "DeviceJob" : "Twin";
  return {
    rows: query.top === undefined ? rows : rows.slice(0, query.top),
    itemType: query.columns === undefined ? whole : "Raw",
  };
}

function resultRows({ columns, groupBy }: Query, rows: readonly JsonObject[]): JsonObject[] {
  if (!columns) return [...rows];
  if (groupBy.length === 0 && !columns.some((column) => column.aggregate)) {
    return rows.map((row) => picked(columns, [row]));
  }
  const groups = new Map<string, JsonObject[]>();
  if (groupBy.length === 0) groups.set("", []);
  for (const row of rows) {
    const name = JSON.stringify(groupBy.map((path) => lookUp(row, path) ?? null));
    const key = groupBy.length === 0 ? "" : name;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((group) => picked(columns, group));
}

/** One row of the answer; a column that has no value is left out. */
function picked(columns: readonly Column[], group: readonly JsonObject[]): JsonObject {
  const result: Record<string, Json> = {};
  for (const { name, aggregate, path } of columns) {
    const value = aggregate
      ? aggregated(aggregate, group, path)
      : group[0] && lookUp(group[0], path);
    if (value !== undefined) result[name] = value;
  }
  return result;
}

function aggregated(
  aggregate: Aggregate,
  group: readonly JsonObject[],
  path: readonly string[],
): Json | undefined {
  if (aggregate === "count") {
    if (path.length === 0) return group.length;
    return group.filter((row) => lookUp(row, path) !== undefined).length;
  }
  const numbers = group
    .map((row) => lookUp(row, path))
    .filter((value): value is number => typeof value === "number");
  if (numbers.length === 0) return undefined;
  const sum = numbers.reduce((total, number) => total + number, 0);
  if (aggregate === "sum") return sum;
  if (aggregate === "avg") return sum / numbers.length;
  return numbers.reduce((a, b) => (aggregate === "min" ? Math.min(a, b) : Math.max(a, b)));
}
