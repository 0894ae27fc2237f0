import { HubError } from "../errors.ts";
import type { Handler } from "./endpoint.ts";
import type { ServiceRoutes } from "./group.ts";

/** Answers a route that the real hub has and this one has not. */
export const notThere: Handler = ({ route }) => {
  throw new HubError("NotImplemented", `This hub has no ${route}; docs/differences.md lists that`);
};

/** What the real hub has and this one has not: refused by name instead of not found. */
export const leftOutRoutes: ServiceRoutes = Object.fromEntries(
  [
    "POST /jobs/create",
    "GET /jobs",
    "GET /jobs/:jobId",
    "DELETE /jobs/:jobId",
    "GET /digitaltwins/:id",
    "PATCH /digitaltwins/:id",
    "POST /digitaltwins/:id/commands/:name",
    "POST /digitaltwins/:id/components/:component/commands/:name",
    "GET /messages/serviceBound/filenotifications",
    "POST /twins/:deviceId/streams/:name",
    "POST /twins/:deviceId/modules/:moduleId/streams/:name",
  ].map((route) => [route, ["ServiceConnect", notThere] as const]),
);
