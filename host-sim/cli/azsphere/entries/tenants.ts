import { LabError } from "../../../errors.ts";
import { type Arm, asTenant, type Catalog, find, NAME_TAG } from "../arm.ts";
import { shown, shownAll } from "../cloud.ts";
import { deviceIdOf } from "../device.ts";
import { usage } from "../errors.ts";
import { type Context, type Entry, type Given, type Options, optional, text } from "../table.ts";
import { writeFile } from "../write-file.ts";
import { OWNER } from "./account.ts";
import { rolesIn } from "./roles.ts";

const row = ({ name, properties }: Catalog) => ({ id: properties.tenantId, name });

/** Tag of a catalog with the device that it was made with. */
const MAKER = "madeWithDevice";

async function create(context: Context, given: Given) {
  const name = text(given, "name");
  const arm = await context.arm();
  const catalogs = await arm.catalogs();
  const deviceId = await deviceIdOf(await context.device(given));
  if (await claimedAnywhere(arm, catalogs, deviceId)) {
    throw new LabError(
      "device-claimed",
      "The attached device is claimed already, and a tenant is made with an unclaimed one.",
      "Type `azsphere tenant list` for the tenants that there are, or attach another device.",
    );
  }
  const made = catalogs.find((catalog) => tagsOf(catalog)[MAKER] === deviceId);
  if (made && !given.forceAdditional) {
    throw new LabError(
      "tenant-made",
      `The attached device has made the tenant '${made.name}'.`,
      "Add --force-additional for one more.",
    );
  }
  refuseName(catalogs, name);
  const id = await freeId(arm, name);
  const tags = { [MAKER]: deviceId, [NAME_TAG]: name };
  const catalog = asTenant(await arm.call<Catalog>("PUT", id, { location: "global", tags }));
  return {
    value: row(catalog),
    text: [
      "Created a new Azure Sphere tenant:",
      ` --> Tenant Name: ${catalog.name}`,
      ` --> Tenant ID:   ${catalog.properties.tenantId}`,
      "You may now wish to claim the attached device into this tenant using " +
        "'azsphere device claim'.",
    ],
  };
}

const tagsOf = ({ tags = {} }: Catalog) => tags;

/** @throws LabError catalog-exists, name-invalid */
function refuseName(catalogs: readonly Catalog[], name: string): void {
  if (!/^[\w-]([\w -]{0,48}[\w-])?$/.test(name)) {
    throw new LabError(
      "name-invalid",
      `'${name.slice(0, 60)}' is no name of a tenant.`,
      "A tenant is named by 1 to 50 letters, digits, spaces, '_' and '-'.",
    );
  }
  if (catalogs.some((catalog) => catalog.name.toLowerCase() === name.toLowerCase())) {
    throw new LabError("catalog-exists", `There is a tenant '${name}'.`, "Choose another name.");
  }
}

/** A catalog has no blanks in its name, and keeps it when the tenant is renamed. */
async function freeId(arm: Arm, tenant: string): Promise<string> {
  const all = new Set((await arm.catalogs()).map(({ id }) => id.toLowerCase()));
  const base = tenant.replaceAll(" ", "-");
  for (let number = 1; ; number++) {
    const suffix = number === 1 ? "" : `-${number}`;
    const id = arm.catalogId(base.slice(0, 50 - suffix.length) + suffix, "lab");
    if (!all.has(id.toLowerCase())) return id;
  }
}

async function rename(context: Context, given: Given) {
  const arm = await context.arm();
  const catalog = await arm.catalog(given);
  const name = text(given, "newName");
  const others = (await arm.catalogs()).filter(({ id }) => id !== catalog.id);
  refuseName(others, name);
  const tags = { ...tagsOf(catalog), [NAME_TAG]: name };
  const value = row(asTenant(await arm.call<Catalog>("PATCH", catalog.id, { tags })));
  return { value, text: `Successfully renamed the tenant '${catalog.name}' to '${name}'.` };
}

export async function claimedAnywhere(
  arm: Arm,
  catalogs: readonly Catalog[],
  deviceId: string,
): Promise<boolean> {
  for (const { id } of catalogs) {
    const devices = await arm.list(`${id}/listDevices`, "POST", {});
    if (devices.some(({ name }) => name === deviceId)) return true;
  }
  return false;
}

async function errorReport(context: Context, given: Given, wanted: string | undefined) {
  const arm = await context.arm();
  const catalog = await arm.catalog(given);
  const file = wanted ?? `AzureSphere_ErrorReport_${catalog.properties.tenantId}.csv`;
  const insights = await arm.list<Record<string, unknown>>(
    `${catalog.id}/listDeviceInsights`,
    "POST",
    {},
  );
  const columns = [
    ...["deviceId", "description", "eventType", "eventClass", "eventCategory", "eventCount"],
    ...["startTimestampUtc", "endTimestampUtc"],
  ];
  const quoted = (value: unknown) => `"${String(value ?? "").replaceAll('"', '""')}"`;
  const lines = insights.map((each) => columns.map((column) => quoted(each[column])).join(","));
  writeFile(file, [columns.join(","), ...lines, ""].join("\n"));
  return { text: `Error report with ${insights.length} rows written to '${file}'.` };
}

const REPORT_FILE = "the file to write; AzureSphere_ErrorReport_ID.csv if absent";
const NAME: Options = { "!-n, --name <name>": "1 to 50 letters, digits, spaces, '_' and '-'" };

/** Tenants of `azsphere`. */
export const tenantEntries: readonly Entry[] = [
  {
    words: "tenant create",
    only: "azsphere",
    summary: "create a tenant, with an attached device that is not claimed",
    options: { ...NAME, "--force-additional": "although the device has made a tenant before" },
    needs: ["device"],
    examples: ["--name Contoso"],
    run: create,
  },
  {
    words: "tenant list",
    only: "azsphere",
    summary: "print all tenants",
    examples: ["", '--query "[].name" --output tsv'],
    async run(context) {
      const arm = await context.arm();
      const me = context.settings.get("user") ?? OWNER;
      const value = [];
      for (const catalog of await arm.catalogs()) {
        const roles = (await rolesIn(arm, catalog)).get(me) ?? [];
        value.push({ ...row(catalog), roles: roles.join(", ") });
      }
      return { value };
    },
  },
  {
    words: "tenant update",
    only: "azsphere",
    summary: "give a tenant another name",
    options: { "!-n, --new-name --name <name>": "1 to 50 letters, digits, spaces, '_' and '-'" },
    needs: ["cloud"],
    examples: ['--new-name "Contoso fridges"', "--tenant lab --new-name Contoso"],
    run: rename,
  },
  {
    words: "tenant select",
    only: "azsphere",
    summary: "choose the tenant of the commands to come",
    options: { "!-t, --tenant --tenantid -i <tenant>": "name or id" },
    examples: ["--tenant Contoso"],
    async run(context, given) {
      const arm = await context.arm();
      const value = row(find(await arm.catalogs(), text(given, "tenant")));
      context.settings.set("tenant", value.id);
      return {
        value,
        text: `Default Azure Sphere tenant ID is now '${value.name}' (${value.id}).`,
      };
    },
  },
  {
    words: "tenant show-selected",
    only: "azsphere",
    summary: "print the tenant that commands mean",
    examples: ["", "--query id --output tsv"],
    async run(context) {
      const value = row(await (await context.arm()).catalog({}));
      return { value, text: `Default Azure Sphere tenant ID is '${value.name}' (${value.id}).` };
    },
  },
  {
    words: "tenant download-error-report",
    only: "azsphere",
    summary: "write what devices reported in the last two weeks, as CSV",
    options: { "--destination --output-file --filepath -of <file>": REPORT_FILE },
    needs: ["cloud"],
    examples: ["", "--destination errors.csv"],
    run: (context, given) => errorReport(context, given, optional(given, "destination")),
  },
];

const CATALOG: Options = {
  "!-n, --name --catalog -c <name>": "1 to 50 letters, digits, '_' and '-'",
  "-g, --resource-group <name>": "its resource group; the default one if absent",
};

function namedCatalog(context: Context, arm: Arm, given: Given): string {
  const group = optional(given, "resourceGroup") ?? context.settings.get("defaults.group");
  if (group !== undefined) return arm.catalogId(text(given, "name"), group);
  throw usage(
    "the following arguments are required: --resource-group/-g",
    "Give it, or type `az config set defaults.group=GROUP`.",
  );
}

/** Catalogs of `az sphere`. */
export const catalogEntries: readonly Entry[] = [
  {
    words: "catalog create",
    only: "az",
    summary: "create a catalog",
    options: CATALOG,
    examples: ["--name Contoso --resource-group lab"],
    async run(context, given) {
      const arm = await context.arm();
      const id = namedCatalog(context, arm, given);
      return { value: await arm.call("PUT", id, { location: "global" }) };
    },
  },
  {
    words: "catalog list",
    only: "az",
    summary: "print the catalogs of a resource group, or all",
    options: { "-g, --resource-group <name>": "only those in it", "--all": "those of all groups" },
    examples: ["", "--resource-group lab"],
    async run(context, given) {
      const all = await (await context.arm()).catalogs();
      const group = given.all ? undefined : optional(given, "resourceGroup");
      const inside = all.filter(
        ({ id }) => group === undefined || id.split("/")[4]?.toLowerCase() === group.toLowerCase(),
      );
      return { value: shownAll(context, inside) };
    },
  },
  {
    words: "catalog show",
    only: "az",
    summary: "print a catalog",
    options: CATALOG,
    examples: ["--name lab --resource-group lab"],
    async run(context, given) {
      const arm = await context.arm();
      const catalog = await arm.call<Catalog>("GET", namedCatalog(context, arm, given));
      return { value: shown(context, catalog) };
    },
  },
  {
    words: "catalog delete",
    only: "az",
    summary: "delete a catalog without devices",
    options: { ...CATALOG, "-y, --yes": "understood; nobody is asked" },
    examples: ["--name Contoso --resource-group lab --yes"],
    async run(context, given) {
      const arm = await context.arm();
      await arm.call("DELETE", namedCatalog(context, arm, given));
      return {};
    },
  },
  {
    words: "catalog download-error-report",
    only: "az",
    summary: "write what devices reported in the last two weeks, as CSV",
    options: { "--output-file --destination -of <file>": REPORT_FILE },
    needs: ["cloud"],
    examples: ["-c lab -g lab", "--output-file errors.csv -c lab -g lab"],
    run: (context, given) => errorReport(context, given, optional(given, "outputFile")),
  },
];
