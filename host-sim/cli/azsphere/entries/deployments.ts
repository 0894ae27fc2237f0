import type { Resource } from "../arm.ts";
import { GROUP_AZ, GROUP_V2, shown } from "../cloud.ts";
import { notFound, usage } from "../errors.ts";
import { type Context, type Entry, type Given, list, type Options, text } from "../table.ts";
import type { Deployment } from "./cloud-devices.ts";
import { groupAt } from "./groups.ts";

const IMAGES: Options = { "!-i, --images --imageids <ids...>": "ids of images, none for no apps" };

/** Deployments with the ids of their images, as `azsphere` shows them. */
function row(context: Context, deployment: Deployment): object {
  if (context.grammar === "az") return deployment;
  const { deploymentId, deploymentDateUtc, deployedImages } = deployment.properties;
  return {
    id: deploymentId,
    deployedImages: deployedImages.map(({ properties }) => properties.imageId),
    deploymentDateUtc,
  };
}

async function create(context: Context, given: Given) {
  const { arm, catalog, id, path } = await groupAt(context, given);
  const ids = list(given, "images");
  if (ids.length === 0) throw usage("--images names no image.", "Type `image list` for ids.");
  const deployedImages = ids.map((each) => ({ id: `${catalog.id}/images/${each}` }));
  const made = await arm.call<Deployment>("PUT", `${id}/deployments/.default`, {
    properties: { deployedImages },
  });
  return {
    value: row(context, made),
    text:
      `Successfully created deployment with ID '${made.properties.deploymentId}' ` +
      `for device group '${path.group}' of product '${path.product}'.`,
  };
}

async function listAll(context: Context, given: Given) {
  const { arm, id } = await groupAt(context, given);
  const all = await arm.list<Deployment>(`${id}/deployments`);
  return { value: all.map((each) => row(context, each)) };
}

const V2_EXAMPLE = '--device-group "Fridge/Production"';
const AZ_EXAMPLE = "--product Fridge --device-group Production";
const IMAGE_EXAMPLE = "--images 6415a939-c098-48cf-8e5c-02b52a9f0ffb";

const createEntry = (words: string, options: Partial<Entry>, example: string): Entry => ({
  ...{ words, summary: "let all devices of a group have these images" },
  needs: ["cloud"],
  examples: [`${example} ${IMAGE_EXAMPLE}`],
  azExamples: [`${AZ_EXAMPLE} ${IMAGE_EXAMPLE}`],
  run: create,
  ...options,
});

const listEntry = (words: string, options: Partial<Entry>, example: string): Entry => ({
  ...{ words, summary: "print what devices of a group were to have" },
  needs: ["cloud"],
  examples: [example],
  azExamples: [AZ_EXAMPLE],
  run: listAll,
  ...options,
});

const BOTH = { v2: GROUP_V2, az: GROUP_AZ };

export const deploymentEntries: readonly Entry[] = [
  createEntry(
    "device-group deployment create",
    { only: "azsphere", options: { ...GROUP_V2, ...IMAGES } },
    V2_EXAMPLE,
  ),
  listEntry("device-group deployment list", { only: "azsphere", options: GROUP_V2 }, V2_EXAMPLE),
  createEntry("deployment create", { ...BOTH, options: IMAGES }, V2_EXAMPLE),
  listEntry("deployment list", BOTH, V2_EXAMPLE),
  {
    words: "deployment show",
    summary: "print a deployment",
    options: { "!--deployment-id --deployment -di -i <id>": "its id" },
    needs: ["cloud"],
    examples: ["--deployment-id 6415a939-c098-48cf-8e5c-02b52a9f0ffb"],
    async run(context, given) {
      const arm = await context.arm();
      const catalog = await arm.catalog(given);
      const wanted = text(given, "deploymentId").toLowerCase();
      const all = await arm.list<Deployment>(`${catalog.id}/listDeployments`, "POST", {});
      const found = all.find(({ name }) => name === wanted);
      if (!found) throw notFound(`There is no deployment '${wanted}'.`, "Type `deployment list`.");
      return {
        value: context.grammar === "az" ? shown(context, found as Resource) : row(context, found),
      };
    },
  },
];
