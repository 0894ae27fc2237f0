import { DeviceError, ERRORS } from "../device/system/device-error.ts";
import type { Route, Routes } from "./request.ts";

export interface Match {
  readonly route: Route;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Finds the route of a request. @throws DeviceError invalidUri, unknownMethod */
export function createRouter(routes: Routes): (method: string, path: string) => Match {
  const compiled = Object.entries(routes).map(([name, route]) => {
    const [method, path = ""] = name.split(" ");
    const pattern = new RegExp(`^${path.replace(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`);
    return { method, pattern, route };
  });
  return (method, path) => {
    const known = compiled.filter(({ pattern }) => pattern.test(path));
    const found = known.find((candidate) => candidate.method === method);
    if (found) return { route: found.route, parameters: decode(found.pattern.exec(path)?.groups) };
    const number = known.length > 0 ? ERRORS.unknownMethod : ERRORS.invalidUri;
    throw new DeviceError(number, "absent");
  };
}

function decode(groups: Record<string, string> = {}): Record<string, string> {
  try {
    return Object.fromEntries(
      Object.entries(groups).map(([name, text]) => [name, decodeURIComponent(text)]),
    );
  } catch {
    throw new DeviceError(ERRORS.invalidUri, "absent");
  }
}
