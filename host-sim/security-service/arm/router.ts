import { ArmError } from "./errors.ts";
import type { ArmHandler, ArmRoutes } from "./http.ts";

interface Route {
  readonly method: string;
  readonly pattern: RegExp;
  readonly names: readonly string[];
  readonly handler: ArmHandler;
}

export interface Found {
  readonly handler: ArmHandler;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Finds the handler of a path. ARM compares the fixed parts without regard to case. */
export function createRouter(table: ArmRoutes) {
  const routes = Object.entries(table).map(([route, handler]) => compile(route, handler));
  return (method: string, path: string): Found => {
    const fitting = routes.flatMap((route) => {
      const match = route.pattern.exec(path);
      return match ? [{ route, match }] : [];
    });
    const found = fitting.find(({ route }) => route.method === method);
    if (found) {
      const { route, match } = found;
      const values = route.names.map((name, index) => [name, decoded(match[index + 1] ?? "")]);
      return { handler: route.handler, parameters: Object.fromEntries(values) };
    }
    const methods = fitting.map(({ route }) => route.method);
    if (methods.length === 0) throw unknownPath(path);
    const message = `'${path}' takes ${methods.join(" and ")}, not ${method}.`;
    throw new ArmError(405, "MethodNotAllowed", message, {
      headers: { allow: methods.join(", ") },
    });
  };
}

function compile(route: string, handler: ArmHandler): Route {
  const [method = "", path = ""] = route.split(" ");
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name ?? "");
  const source = path.replaceAll(".", "\\.").replace(/:\w+/g, "([^/]+)");
  return { method, pattern: new RegExp(`^${source}/?$`, "i"), names, handler };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ArmError(400, "InvalidResourceName", `'${text}' is not percent-encoded correctly.`);
  }
}

function unknownPath(path: string): ArmError {
  return new ArmError(404, "InvalidResourceType", `There is nothing at '${path}'.`, {
    hint: "docs/security-service.md lists the operations.",
  });
}
