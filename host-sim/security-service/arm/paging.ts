import { ArmError } from "./errors.ts";
import { matches, parseFilter } from "./filter.ts";
import { type ArmRequest, type ArmResponse, ok } from "./http.ts";

const LARGEST_PAGE = 100;

/**
 * One page of a list: `$filter` chooses, `$skip` and `$top` cut, `$maxpagesize` asks for small pages.
 * The next page is a GET of `nextLink`.
 */
export function page(request: ArmRequest, items: readonly object[]): ArmResponse {
  const { query } = request;
  const terms = parseFilter(query.get("$filter") ?? "");
  const skip = count(query, "$skip", 0);
  const top = count(query, "$top", Number.MAX_SAFE_INTEGER);
  const chosen = items.filter((item) => matches(item, terms)).slice(skip, skip + top);
  const size = Math.min(Math.max(count(query, "$maxpagesize", LARGEST_PAGE), 1), LARGEST_PAGE);
  const from = count(query, "$skipToken", 0);
  const value = chosen.slice(from, from + size);
  const next = from + size;
  if (next >= chosen.length) return ok({ value });
  const link = new URL(request.path, request.base);
  for (const [name, text] of query) link.searchParams.set(name, text);
  link.searchParams.set("$skipToken", String(next));
  return ok({ value, nextLink: link.href });
}

function count(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new ArmError(400, "InvalidQueryParameter", `'${name}' is '${text}' and no count.`);
}
