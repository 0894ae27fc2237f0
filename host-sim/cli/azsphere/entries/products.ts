import { LabError } from "../../../errors.ts";
import type { Resource } from "../arm.ts";
import { PRODUCT, shown, shownAll } from "../cloud.ts";
import { type Context, type Entry, type Given, type Options, text } from "../table.ts";

const DESCRIPTION: Options = { "-d, --description <text>": "what it is" };

export async function productAt(context: Context, given: Given) {
  const arm = await context.arm();
  const catalog = await arm.catalog(given);
  return { arm, catalog, id: `${catalog.id}/products/${text(given, "product")}` };
}

async function create(context: Context, given: Given) {
  const arm = await context.arm();
  const catalog = await arm.catalog(given);
  const name = text(given, "name");
  const id = `${catalog.id}/products/${name}`;
  refuseIfThere(await arm.list(`${catalog.id}/products`), name);
  const product = await arm.call<Resource>("PUT", id, {
    properties: { description: text(given, "description") },
  });
  if (given.noDefaultDeviceGroups) {
    for (const group of await arm.list(`${id}/deviceGroups`)) await arm.call("DELETE", group.id);
  }
  return { value: shown(context, product) };
}

/** @throws LabError name-taken */
function refuseIfThere(all: readonly Resource[], name: string): void {
  if (!all.some((product) => product.name.toLowerCase() === name.toLowerCase())) return;
  throw new LabError(
    "name-taken",
    `There is a product '${name}'.`,
    "Choose another name, or type `product update`.",
  );
}

export const productEntries: readonly Entry[] = [
  {
    words: "product create",
    summary: "create a product with its five device groups",
    options: {
      "!-n, --name <name>": "1 to 50 letters, digits and spaces",
      ...DESCRIPTION,
    },
    v2: { "-g, --no-default-device-groups": "without the five groups" },
    az: { "--no-default-device-groups": "without the five groups" },
    needs: ["cloud"],
    examples: ['--name Fridge --description "Keeps things cool"'],
    run: create,
  },
  {
    words: "product list",
    summary: "print all products",
    needs: ["cloud"],
    examples: ["", '--query "[].name" --output tsv'],
    async run(context, given) {
      const arm = await context.arm();
      const catalog = await arm.catalog(given);
      return { value: shownAll(context, await arm.list(`${catalog.id}/products`)) };
    },
  },
  {
    words: "product show",
    summary: "print a product",
    options: PRODUCT,
    needs: ["cloud"],
    examples: ["--product Fridge"],
    async run(context, given) {
      const { arm, id } = await productAt(context, given);
      return { value: shown(context, await arm.call<Resource>("GET", id)) };
    },
  },
  {
    words: "product update",
    summary: "change a product's description",
    options: { ...PRODUCT, "!-d, --description --new-description <text>": "what it is" },
    needs: ["cloud"],
    examples: ['--product Fridge --description "Keeps things cold"'],
    async run(context, given) {
      const { arm, id } = await productAt(context, given);
      const properties = { description: text(given, "description") };
      return { value: shown(context, await arm.call<Resource>("PATCH", id, { properties })) };
    },
  },
  {
    words: "product delete",
    summary: "delete a product without devices, with its groups",
    options: { ...PRODUCT, "-y, --yes --force": "understood; nobody is asked" },
    needs: ["cloud"],
    examples: ["--product Fridge"],
    async run(context, given) {
      const { arm, id } = await productAt(context, given);
      await arm.call("GET", id);
      await arm.call("DELETE", id);
      return { text: `Successfully deleted product '${text(given, "product")}'.` };
    },
  },
];
