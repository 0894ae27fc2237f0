import { randomUUID } from "node:crypto";
import { LabError } from "../errors.ts";
import { type ServiceContext, values } from "./context.ts";
import { checkGuid } from "./names.ts";
import type { Tenants } from "./tenants.ts";

/** From the one that may do everything to the one that may look only. */
export const ROLES = ["Administrator", "Contributor", "Reader"] as const;
export type Role = (typeof ROLES)[number];

/** Who has the lab: administrator of every tenant, for ever. */
export const OWNER = "lab";

/** One role of one user in one tenant. */
export interface RoleAssignment {
  /** A GUID. */
  readonly id: string;
  readonly tenantId: string;
  /** Lower case, mostly an e-mail address. */
  readonly user: string;
  readonly role: Role;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
}

export type Roles = ReturnType<typeof createRoles>;

const USER = /^[^\s/\\?#'"]{1,113}$/;

/** Roles of users in tenants. Nobody proves to be a user: the lab gives tokens to all who ask. */
export function createRoles({ store, clock }: ServiceContext, tenants: Tenants) {
  const prefix = (tenantId: string) => `security-service/roles/${tenantId}/`;
  const key = (tenantId: string, id: string) => prefix(tenantId) + id.toLowerCase();
  const list = (tenantId: string): RoleAssignment[] =>
    values<RoleAssignment>(store, prefix(tenantId)).sort(
      (a, b) => a.user.localeCompare(b.user) || ROLES.indexOf(a.role) - ROLES.indexOf(b.role),
    );

  /**
   * @param given a GUID; a fresh one when absent
   * @throws LabError tenant-unknown, user-invalid, name-invalid, role-assigned
   */
  function assign(
    tenantId: string,
    name: string,
    role: Role,
    given: string = randomUUID(),
  ): RoleAssignment {
    tenants.get(tenantId);
    const user = checkUser(name);
    const id = checkGuid("role assignment", given);
    const taken = list(tenantId).find(
      (each) => each.id === id || (each.user === user && each.role === role),
    );
    if (taken || user === OWNER) throw assigned(taken ?? { user, role });
    const assignment = { id, tenantId, user, role, createdAt: clock.now() };
    store.put(key(tenantId, id), assignment);
    return assignment;
  }

  return {
    list,
    assign,
    /** @returns whether it was there */
    remove(tenantId: string, id: string): boolean {
      const there = store.get(key(tenantId, id)) !== undefined;
      store.delete(key(tenantId, id));
      return there;
    },
    removeTenant(tenantId: string): void {
      for (const [each] of [...store.entries(prefix(tenantId))]) store.delete(each);
    },
    /** The highest role that a user has in a tenant; undefined when it has none. */
    of(tenantId: string, user: string): Role | undefined {
      if (user === OWNER) return "Administrator";
      const held = list(tenantId).filter((each) => each.user === user.toLowerCase());
      return ROLES.find((role) => held.some((each) => each.role === role));
    },
  };
}

/** Whether who has one role may do what needs another. */
export const suffices = (held: Role | undefined, needed: Role): boolean =>
  held !== undefined && ROLES.indexOf(held) <= ROLES.indexOf(needed);

/** The name in lower case. @throws LabError user-invalid */
export function checkUser(name: string): string {
  if (USER.test(name)) return name.toLowerCase();
  throw new LabError(
    "user-invalid",
    `'${name.slice(0, 140)}' is no name of a user.`,
    "Give an e-mail address; any will do.",
  );
}

function assigned({ user, role }: Pick<RoleAssignment, "user" | "role">): LabError {
  const message =
    user === OWNER
      ? `The lab's own user '${OWNER}' is administrator of every tenant.`
      : `The user '${user}' has the role ${role} already.`;
  return new LabError("role-assigned", message, "`azsphere role list` shows who has which role.");
}
