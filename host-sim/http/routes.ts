import type { IncomingMessage } from "node:http";

/** A handler that was found for a request, with the parts of the path that it names. */
export interface Match<Handler> {
  readonly handler: Handler;
  /** The route as it was written, e.g. `GET /devices/:deviceId`. */
  readonly route: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * Compiles `GET /devices/:deviceId` → handler into a look-up; the first that fits is taken.
 * @param decode turns a part of the path into a parameter; broken escapes stay as they are if absent
 */
export function compileRoutes<Handler>(
  routes: Readonly<Record<string, Handler>>,
  decode: (part: string) => string = decodePart,
) {
  const compiled = Object.entries(routes).map(([route, handler]) => {
    const [method = "", path = ""] = route.split(" ");
    const source = path.replace(/[.$()*+?]/g, "\\$&").replace(/:(\w+)/g, "(?<$1>[^/]+)");
    return { method, route, handler, pattern: new RegExp(`^${source}/?$`, "i") };
  });
  return {
    find(method: string, path: string): Match<Handler> | undefined {
      for (const { pattern, handler, route, ...each } of compiled) {
        const match = each.method === method && pattern.exec(path);
        if (!match) continue;
        const parameters = Object.fromEntries(
          Object.entries(match.groups ?? {}).map(([name, text]) => [name, decode(text)]),
        );
        return { handler, route, parameters };
      }
      return undefined;
    },
    /** What a path may be asked with. */
    methods: (path: string): string[] =>
      compiled.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method),
  };
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The whole body; undefined when it has more than `largest` bytes. */
export async function readBody(
  request: IncomingMessage,
  largest: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > largest) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
