import type { Place } from "./lines.ts";

/** What debuggers are told for code of no line; `spherule` reads it back from addr2line. */
const NO_SOURCE = "(?)";

/** Collects the statements of one function. */
export interface Writer {
  /** Adds a line of C that belongs to `place`. */
  line(text: string, place?: Place): void;
  /** Keeps a place for a line that may be needed later; call the result to fill it. */
  reserve(): (text: string) => void;
  text(): string;
}

/** A text as C string literal; a source map may hold any name. */
export function quoted(text: string): string {
  const safe = text.replace(/[^ !#-[\]-~]/g, "_").replace(/\\/g, "/");
  return `"${safe}"`;
}

export function createWriter(): Writer {
  const lines: string[] = [];
  let source = "";
  /** The number that the compiler gives the next line, while `source` is set. */
  let next = 0;

  function add(text: string): void {
    lines.push(text);
    next++;
  }

  /** Code that no line has made must not count as the line before it goes on. */
  function leave(): void {
    if (source !== "" && source !== NO_SOURCE) move({ site: 0, source: NO_SOURCE, line: 1 });
  }

  /** `#line` only where counting on would be wrong. */
  function move(place: Place): void {
    if (place.source === source && place.line === next) return;
    const file = place.source === source ? "" : ` ${quoted(place.source)}`;
    lines.push(`#line ${place.line}${file}`);
    source = place.source;
    next = place.line;
  }

  return {
    line(text, place) {
      if (place) move(place);
      else leave();
      add(text);
    },
    reserve() {
      const index = lines.length;
      add("");
      return (text) => {
        lines[index] = text;
      };
    },
    text: () => lines.join("\n"),
  };
}
