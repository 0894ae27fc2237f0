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
  const top = reader.take("top") ? reader.number() : undefined;
  const columns = reader.take("*") ? undefined : reader.list(() => column(reader));
  reader.expect("from");
  const source = reader.path().join(".").toLowerCase();
  if (!SOURCES.includes(source)) throw queryProblem(`FROM ${source} is not known`);
  const alias = reader.alias();
  const where = reader.take("where") ? either(reader, alias) : undefined;
  const groupBy = reader.take("group") ? groups(reader) : [];
  reader.end();
  const plain = (path: Path) => withoutAlias(path, alias);
  return {
    top,
    columns: columns?.map((each) => ({ ...each, path: plain(each.path) })),
    source: source as Source,
    where,
    groupBy: groupBy.map(plain),
  };
}

/** A condition alone, as configurations and jobs have it. */
export function parseCondition(text: string): Expression {
  const reader = createReader(tokenize(text));
  const condition = either(reader, undefined);
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

function withoutAlias(path: Path, alias: string | undefined): Path {
  return alias !== undefined && path[0] === alias && path.length > 1 ? path.slice(1) : path;
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

function either(reader: Reader, alias: string | undefined): Expression {
  return reader.nested(() => {
    let left = both(reader, alias);
    while (reader.take("or")) left = { kind: "or", left, right: both(reader, alias) };
    return left;
  });
}

function both(reader: Reader, alias: string | undefined): Expression {
  let left = negation(reader, alias);
  while (reader.take("and")) left = { kind: "and", left, right: negation(reader, alias) };
  return left;
}

function negation(reader: Reader, alias: string | undefined): Expression {
  if (!reader.take("not")) return comparison(reader, alias);
  return reader.nested(() => ({ kind: "not", inner: negation(reader, alias) }));
}

function comparison(reader: Reader, alias: string | undefined): Expression {
  const left = operand(reader, alias);
  const negated = reader.is("nin") || reader.is("not");
  if (reader.take("nin") || reader.take("in") || (reader.take("not") && reader.take("in"))) {
    return { kind: "in", negated, left, list: listOf(reader, alias) };
  }
  for (const operator of ["<=", ">=", "!=", "<>", "=", "<", ">"] as const) {
    if (!reader.take(operator)) continue;
    const right = operand(reader, alias);
    return { kind: "compare", operator: operator === "<>" ? "!=" : operator, left, right };
  }
  return left;
}

function listOf(reader: Reader, alias: string | undefined): Expression[] {
  const close = reader.take("(") ? ")" : "]";
  if (close === "]") reader.expect("[");
  const items = reader.list(() => operand(reader, alias));
  reader.expect(close);
  return items;
}

function operand(reader: Reader, alias: string | undefined): Expression {
  if (reader.take("(")) {
    const inner = either(reader, alias);
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
  if (reader.take("(")) return call(reader, token.text, alias);
  const path = [token.text];
  while (reader.take(".")) path.push(reader.word());
  return { kind: "path", path: withoutAlias(path, alias) };
}

function call(reader: Reader, name: string, alias: string | undefined): Expression {
  const args = reader.is(")") ? [] : reader.list(() => either(reader, alias));
  reader.expect(")");
  return { kind: "call", name: name.toLowerCase(), args };
}
