import { randomUUID } from "node:crypto";
import type { Arm, Catalog, Resource } from "../arm.ts";
import { notFound, usage } from "../errors.ts";
import { type Context, type Entry, type Given, type Options, text } from "../table.ts";
import { OWNER } from "./account.ts";

/** What `azsphere` calls the roles, and their definitions in Azure. */
const ROLES: Readonly<Record<string, string>> = {
  Administrator: "Azure Sphere Owner",
  Contributor: "Azure Sphere Contributor",
  Reader: "Azure Sphere Reader",
};
const MAY: Readonly<Record<string, string>> = {
  Administrator: "everything, and give roles to others",
  Contributor: "claim devices, change groups, upload and deploy images",
  Reader: "look at everything",
};

type Assignment = Resource<{
  readonly principalId: string;
  readonly roleDefinitionName: string;
}>;

const assignmentsId = (catalog: Resource) =>
  `${catalog.id}/providers/Microsoft.Authorization/roleAssignments`;

const roleIn = ({ properties }: Assignment): string =>
  Object.keys(ROLES).find((role) => ROLES[role] === properties.roleDefinitionName) ?? "";

/** Roles by user; the lab's own user is in no list of the service. */
export async function rolesIn(arm: Arm, catalog: Catalog): Promise<Map<string, string[]>> {
  const all = await arm.list<Assignment>(assignmentsId(catalog));
  const roles = new Map([[OWNER, ["Administrator"]]]);
  for (const each of all) {
    const user = each.properties.principalId;
    roles.set(user, [...(roles.get(user) ?? []), roleIn(each)]);
  }
  return roles;
}

/** @throws LabError azsphere-usage */
function roleOf(given: Given): string {
  const wanted = text(given, "role").toLowerCase();
  const role = Object.keys(ROLES).find((each) => each.toLowerCase() === wanted);
  if (role) return role;
  throw usage(
    `--role is '${text(given, "role")}'.`,
    `Choose among ${Object.keys(ROLES).join(", ")}.`,
  );
}

async function placed(context: Context, given: Given) {
  const arm = await context.arm();
  const catalog = await arm.catalog(given);
  return { arm, catalog, user: text(given, "user").toLowerCase() };
}

async function add(context: Context, given: Given) {
  const role = roleOf(given);
  const { arm, catalog, user } = await placed(context, given);
  await arm.call("PUT", `${assignmentsId(catalog)}/${randomUUID()}`, {
    properties: { principalId: user, roleDefinitionId: ROLES[role] },
  });
  return {
    value: { tenant: catalog.name, name: user, role },
    text: `Successfully added the role '${role}' for user '${user}' in tenant '${catalog.name}'.`,
  };
}

async function remove(context: Context, given: Given) {
  const role = roleOf(given);
  const { arm, catalog, user } = await placed(context, given);
  const all = await arm.list<Assignment>(assignmentsId(catalog));
  const found = all.find((each) => each.properties.principalId === user && roleIn(each) === role);
  if (!found) {
    throw notFound(
      `The user '${user}' has no role '${role}' in tenant '${catalog.name}'.`,
      `Type \`azsphere role list\`; '${OWNER}' is administrator for ever.`,
    );
  }
  await arm.call("DELETE", found.id);
  return {
    text: `Successfully removed the role '${role}' of user '${user}' in tenant '${catalog.name}'.`,
  };
}

async function list(context: Context, given: Given) {
  const { arm, catalog } = await placed(context, given);
  const all = [...(await rolesIn(arm, catalog))];
  return {
    value: all.map(([name, roles]) => ({ tenant: catalog.name, name, roles: roles.join(", ") })),
  };
}

async function show(context: Context, given: Given) {
  const { arm, catalog, user } = await placed(context, given);
  const roles = (await rolesIn(arm, catalog)).get(user) ?? [];
  return { value: { tenant: catalog.name, name: user, roles: roles.join(", ") } };
}

const USER: Options = { "!-u, --user --username <email>": "whose role" };
const ROLE: Options = { "!-r, --role <role>": Object.keys(ROLES).join(", ") };

/** Who may do what in a tenant. The service refuses what a user's role does not allow. */
export const roleEntries: readonly Entry[] = [
  {
    words: "role add",
    only: "azsphere",
    summary: "give a user a role in a tenant",
    options: { ...USER, ...ROLE },
    needs: ["cloud"],
    examples: ["--user you@example.com --role Contributor"],
    run: add,
  },
  {
    words: "role delete",
    only: "azsphere",
    summary: "take a role away from a user",
    options: { ...USER, ...ROLE },
    needs: ["cloud"],
    examples: ["--user you@example.com --role Contributor"],
    run: remove,
  },
  {
    words: "role list",
    only: "azsphere",
    summary: "print who may do what",
    needs: ["cloud"],
    examples: [""],
    run: list,
  },
  {
    words: "role show",
    only: "azsphere",
    summary: "print the roles of a user",
    options: USER,
    needs: ["cloud"],
    examples: ["--user you@example.com"],
    run: show,
  },
  {
    words: "role show-types",
    only: "azsphere",
    summary: "print the roles that there are",
    examples: [""],
    run: () => ({
      value: Object.keys(ROLES).map((name) => ({ name, may: MAY[name] })),
    }),
  },
];
