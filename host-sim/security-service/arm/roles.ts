import { ROLES, type Role, type RoleAssignment } from "../roles.ts";
import type { Tenant } from "../tenants.ts";
import {
  type ArmRequest,
  type ArmRoutes,
  deleted,
  invalid,
  parameter,
  properties,
  requiredText,
} from "./http.ts";
import { page } from "./paging.ts";
import { catalogId } from "./resources.ts";
import { type ArmContext, CATALOG, catalogOf, LAB_SUBSCRIPTION } from "./scope.ts";

const AUTHORIZATION = "Microsoft.Authorization";
const ASSIGNMENTS = `${CATALOG}/providers/${AUTHORIZATION}/roleAssignments`;
const ASSIGNMENT = `${ASSIGNMENTS}/:assignment`;

/** What each role is called in Azure, and the id of its definition there. */
const DEFINITIONS: Readonly<Record<Role, readonly [name: string, id: string]>> = {
  Administrator: ["Azure Sphere Owner", "5a382001-fe36-41ff-bba4-8bf06bd54da9"],
  Contributor: ["Azure Sphere Contributor", "8b9dfcab-4b77-4632-a6df-94bd07820648"],
  Reader: ["Azure Sphere Reader", "c8ae6279-5a0b-4cb2-b3f0-d4d62845742c"],
};

/** Role assignments on a catalog. A principal is the name of a user. */
export function roleRoutes(context: ArmContext): ArmRoutes {
  const { roles } = context.service;
  return {
    [`GET ${ASSIGNMENTS}`]: (request) => {
      const tenant = catalogOf(context, request);
      const all = roles.list(tenant.tenantId);
      return page(
        request,
        all.map((each) => view(tenant, each)),
      );
    },
    [`PUT ${ASSIGNMENT}`]: (request) => {
      const tenant = catalogOf(context, request);
      const given = properties(request);
      const user = requiredText(given, "principalId");
      const role = roleOf(requiredText(given, "roleDefinitionId"));
      const made = roles.assign(tenant.tenantId, user, role, parameter(request, "assignment"));
      return { status: 201, body: view(tenant, made) };
    },
    [`DELETE ${ASSIGNMENT}`]: (request: ArmRequest) => {
      const { tenantId } = catalogOf(context, request);
      return deleted(roles.remove(tenantId, parameter(request, "assignment")));
    },
  };
}

/** By the id of its definition, or by its name. */
function roleOf(definition: string): Role {
  const wanted = definition.split("/").at(-1)?.toLowerCase();
  const role = ROLES.find((each) => {
    const [name, id] = DEFINITIONS[each];
    return [each, name, id].some((known) => known.toLowerCase() === wanted);
  });
  if (role) return role;
  const known = ROLES.map((each) => `${DEFINITIONS[each][1]} (${DEFINITIONS[each][0]})`);
  throw invalid(`'roleDefinitionId' is '${definition}'; it has to be one of ${known.join(", ")}.`);
}

const view = (tenant: Tenant, { id, user, role }: RoleAssignment) => ({
  id: `${catalogId(tenant)}/providers/${AUTHORIZATION}/roleAssignments/${id}`,
  name: id,
  type: `${AUTHORIZATION}/roleAssignments`,
  properties: {
    roleDefinitionId: `/subscriptions/${LAB_SUBSCRIPTION}/providers/${AUTHORIZATION}/roleDefinitions/${DEFINITIONS[role][1]}`,
    roleDefinitionName: DEFINITIONS[role][0],
    principalId: user,
    principalType: "User",
    scope: catalogId(tenant),
  },
});
