import { functionNamed } from "./functions.ts";
import { queryProblem, type Token, tokenize } from "./tokens.ts";

export type Path = readonly string[];
export type Literal = string | number | boolean | null;
export type Comparison = "=" | "!=" | "<" | "<=" | ">" | ">=";

export type Expression =
  | { readonly kind: "path"; readonly path: Path }
  | { readonly kind: "literal"; readonly value: Literal }
  | {
      readonly kind: "compare";
      readonly operator: Comparison;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "not"; readonly inner: Expression }
  | {
      readonly kind: "in";
      readonly negated: boolean;
      readonly left: Expression;
      readonly list: readonly Expression[];
    }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] };

export type Aggregate = "count" | "sum" | "avg" | "min" | "max";

export interface Column {
  readonly name: string;
  readonly aggregate?: Aggregate;
  readonly path: Path;
}

export type Source = "devices" | "devices.modules" | "devices.jobs";

export interface Query {
  readonly top?: number;
  /** Undefined for `*`. */
  readonly columns: readonly Column[] | undefined;
  readonly source: Source;
  readonly where?: Expression;
  readonly groupBy: readonly Path[];
}

const AGGREGATES: readonly string[] = ["count", "sum", "avg", "min", "max"];
const SOURCES: readonly string[] = ["devices", "devices.modules", "devices.jobs"];
/** Deeper brackets than these are an attack, not a question. */
const DEEPEST = 100;

/**
 * `SELECT [TOP n] * | columns FROM devices[.modules|.jobs] [[AS] alias] [WHERE …] [GROUP BY …]`
 * @throws HubError ArgumentInvalid
 */
export function parseQuery(text: string): Query {
  const reader = createReader(tokenize(text));
  reader.expect("select");
  const top = reader.take("top") ? topFrom(reader.number()) : undefined;
  const columns = reader.take("*") ? undefined : reader.list(() => column(reader));
  reader.expect("from");
  const source = reader.path().join(".").toLowerCase();
  if (!SOURCES.includes(source)) throw queryProblem(`FROM ${source} is not known`);
  const names: Names = { source: source.split("."), alias: reader.alias() };
  const where = reader.take("where") ? either(reader, names) : undefined;
  const groupBy = reader.take("group") ? groups(reader) : [];
  reader.end();
  const plain = (path: Path) => relative(path, names);
  const query = {
    top,
    columns: columns?.map((each) => ({ ...each, path: plain(each.path) })),
    source: source as Source,
    where,
    groupBy: groupBy.map(plain),
  };
  requireGrouped(query);
  return query;
}

function topFrom(count: number): number {
  if (Number.isInteger(count) && count >= 1) return count;
  throw queryProblem("TOP takes a whole number from 1 on");
}

/** A row of a group or of an aggregate has no other columns than those it is grouped by. */
function requireGrouped({ columns, groupBy }: Query): void {
  if (groupBy.length === 0 && !columns?.some(({ aggregate }) => aggregate)) return;
  if (!columns) throw queryProblem("SELECT * cannot be grouped");
  const grouped = groupBy.map((path) => path.join("."));
  const loose = columns.find((each) => !each.aggregate && !grouped.includes(each.path.join(".")));
  if (loose) throw queryProblem(`the column ${loose.path.join(".")} is not in GROUP BY`);
}

/** A condition alone, as configurations and jobs have it. */
export function parseCondition(text: string): Expression {
  const reader = createReader(tokenize(text));
  const condition = either(reader, { source: [], alias: undefined });
  reader.end();
  return condition;
}

type Reader = ReturnType<typeof createReader>;

function createReader(tokens: readonly Token[]) {
  let at = 0;
  let depth = 0;
  const peek = () => tokens[at];
  const is = (text: string) => {
    const token = peek();
    return token !== undefined && token.kind !== "text" && token.text.toLowerCase() === text;
  };
  const take = (text: string): boolean => {
    if (!is(text)) return false;
    at += 1;
    return true;
  };
  function next(what: string): Token {
    const token = tokens[at++];
    if (token) return token;
    throw queryProblem(`it ends where ${what} should follow`);
  }
  const expect = (text: string) => {
    if (!take(text)) throw unexpected(peek(), text.toUpperCase());
  };
  function path(): string[] {
    const parts = [word()];
    while (take(".")) parts.push(word());
    return parts;
  }
  function word(): string {
    const token = next("a name");
    if (token.kind === "word") return token.text;
    throw unexpected(token, "a name");
  }
  return {
    is,
    take,
    next,
    expect,
    path,
    word,
    number(): number {
      const token = next("a number");
      if (token.kind === "number") return token.value;
      throw unexpected(token, "a number");
    },
    list<Item>(item: () => Item): Item[] {
      const items = [item()];
      while (take(",")) items.push(item());
      return items;
    },
    alias(): string | undefined {
      if (take("as")) return word();
      return peek()?.kind === "word" && !is("where") && !is("group") ? word() : undefined;
    },
    nested<Value>(read: () => Value): Value {
      depth += 1;
      if (depth > DEEPEST) throw queryProblem(`it is nested more than ${DEEPEST} levels deep`);
      const value = read();
      depth -= 1;
      return value;
    },
    end(): void {
      if (peek()) throw unexpected(peek(), "the end");
    },
  };
}

function unexpected(token: Token | undefined, wanted: string) {
  return token
    ? queryProblem(`"${token.text}" stands at character ${token.at + 1}, not ${wanted}`)
    : queryProblem(`it ends where ${wanted} should follow`);
}

/** What a path may begin with: the source's own name, or what the query calls it. */
interface Names {
  readonly source: Path;
  readonly alias: string | undefined;
}

function relative(path: Path, { source, alias }: Names): Path {
  if (alias !== undefined && path[0] === alias && path.length > 1) return path.slice(1);
  const isUnder = path.length > source.length && source.every((name, at) => name === path[at]);
  return isUnder ? path.slice(source.length) : path;
}

function groups(reader: Reader): Path[] {
  reader.expect("by");
  return reader.list(() => reader.path());
}

function column(reader: Reader): Column {
  const path = reader.path();
  const word = path[0]?.toLowerCase() ?? "";
  const aggregate =
    path.length === 1 && AGGREGATES.includes(word) && reader.take("(")
      ? (word as Aggregate)
      : undefined;
  const inner = aggregate && !reader.is(")") ? argumentOf(reader) : [];
  if (aggregate) reader.expect(")");
  const name = reader.take("as") ? reader.word() : undefined;
  if (aggregate) return { name: name ?? aggregate.toUpperCase(), aggregate, path: inner };
  return { name: name ?? path.at(-1) ?? "", path };
}

function argumentOf(reader: Reader): Path {
  return reader.take("*") ? [] : reader.path();
}

function either(reader: Reader, names: Names): Expression {
  return reader.nested(() => {
    let left = both(reader, names);
    while (reader.take("or")) left = { kind: "or", left, right: both(reader, names) };
    return left;
  });
}

function both(reader: Reader, names: Names): Expression {
  let left = negation(reader, names);
  while (reader.take("and")) left = { kind: "and", left, right: negation(reader, names) };
  return left;
}

function negation(reader: Reader, names: Names): Expression {
  if (!reader.take("not")) return comparison(reader, names);
  return reader.nested(() => ({ kind: "not", inner: negation(reader, names) }));
}

function comparison(reader: Reader, names: Names): Expression {
  const left = operand(reader, names);
  const negated = reader.is("nin") || reader.is("not");
  if (reader.take("nin") || reader.take("in") || (reader.take("not") && reader.take("in"))) {
    return { kind: "in", negated, left, list: listOf(reader, names) };
  }
  for (const operator of ["<=", ">=", "!=", "<>", "=", "<", ">"] as const) {
    if (!reader.take(operator)) continue;
    const right = operand(reader, names);
    return { kind: "compare", operator: operator === "<>" ? "!=" : operator, left, right };
  }
  return left;
}

function listOf(reader: Reader, names: Names): Expression[] {
  const close = reader.take("(") ? ")" : "]";
  if (close === "]") reader.expect("[");
  const items = reader.list(() => operand(reader, names));
  reader.expect(close);
  return items;
}

function operand(reader: Reader, names: Names): Expression {
  if (reader.take("(")) {
    const inner = either(reader, names);
    reader.expect(")");
    return inner;
  }
  if (reader.take("true")) return { kind: "literal", value: true };
  if (reader.take("false")) return { kind: "literal", value: false };
  if (reader.take("null")) return { kind: "literal", value: null };
  const token = reader.next("a value");
  if (token.kind === "number") return { kind: "literal", value: token.value };
  if (token.kind === "text") return { kind: "literal", value: token.text };
  if (token.kind === "symbol") throw unexpected(token, "a value");
  if (reader.take("(")) return call(reader, token.text, names);
  const path = [token.text];
  while (reader.take(".")) path.push(reader.word());
  return { kind: "path", path: relative(path, names) };
}

function call(reader: Reader, name: string, names: Names): Expression {
  const args = reader.is(")") ? [] : reader.list(() => either(reader, names));
  reader.expect(")");
  return { kind: "call", name: functionNamed(name, args.length), args };
}
