import { compileRoutes, type Match } from "../../http/routes.ts";
import { ArmError } from "./errors.ts";
import type { ArmHandler, ArmRoutes } from "./http.ts";

/** Finds the handler of a path. ARM compares the fixed parts without regard to case. */
export function createRouter(table: ArmRoutes) {
  const routes = compileRoutes(table, decoded);
  return (method: string, path: string): Match<ArmHandler> => {
    const found = routes.find(method, path);
    if (found) return found;
    const methods = routes.methods(path);
    if (methods.length === 0) throw unknownPath(path);
    const message = `'${path}' takes ${methods.join(" and ")}, not ${method}.`;
    throw new ArmError(405, "MethodNotAllowed", message, {
      headers: { allow: methods.join(", ") },
    });
  };
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
