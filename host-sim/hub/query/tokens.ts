import { HubError } from "../errors.ts";

export type Token =
  | { readonly kind: "word" | "symbol" | "text"; readonly text: string; readonly at: number }
  | { readonly kind: "number"; readonly text: string; readonly value: number; readonly at: number };

const PATTERN =
  /\s*(?:(?<word>[A-Za-z_$][\w$-]*|\[\[[^\]]+\]\])|(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<symbol><=|>=|!=|<>|[=<>(),.*[\]]))/y;

/** What is read part by part in recursion must not be endless. */
const MOST_PARTS = 4_000;

/**
 * Splits a query of the IoT Hub query language into its parts.
 * @throws HubError ArgumentInvalid with the position of what is no part
 */
export function tokenize(query: string): Token[] {
  const tokens: Token[] = [];
  PATTERN.lastIndex = 0;
  const end = query.trimEnd().length;
  for (let at = 0; at < end; at = PATTERN.lastIndex) {
    PATTERN.lastIndex = at;
    const groups = PATTERN.exec(query)?.groups;
    if (!groups) {
      const gap = query.slice(at).search(/\S/);
      throw queryProblem(`character ${at + gap + 1} begins nothing that is known`);
    }
    tokens.push(tokenFrom(groups, at));
    if (tokens.length > MOST_PARTS) throw queryProblem(`it has more than ${MOST_PARTS} parts`);
  }
  return tokens;
}

function tokenFrom(groups: Record<string, string | undefined>, at: number): Token {
  const { word, number, text, symbol } = groups;
  if (word !== undefined) {
    return { kind: "word", text: word.replace(/^\[\[(.*)\]\]$/, "$1"), at };
  }
  if (number !== undefined) return { kind: "number", text: number, value: Number(number), at };
  if (text !== undefined) {
    return { kind: "text", text: text.slice(1, -1).replace(/\\(.)/g, "$1"), at };
  }
  return { kind: "symbol", text: symbol ?? "", at };
}

export function queryProblem(text: string): HubError {
  return new HubError("ArgumentInvalid", `The query cannot be read: ${text}`);
}
