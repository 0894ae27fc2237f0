import { basename } from "node:path";
import { readBytes } from "../../../lab/package-app.ts";
import { fetchLink, type Resource } from "../arm.ts";
import { shown, shownAll } from "../cloud.ts";
import { type Context, type Entry, type Given, type Options, optional, text } from "../table.ts";
import { writeFile } from "../write-file.ts";

type Image = Resource<Readonly<Record<"imageId" | "imageName" | "componentId" | "uri", string>>>;

const IMAGE: Options = { "!-i, --image --imageid <id>": "the image's id" };

async function add(context: Context, given: Given) {
  const file = text(given, context.grammar === "az" ? "imagePath" : "image");
  const bytes = readBytes(file);
  const arm = await context.arm();
  const catalog = await arm.catalog(given);
  context.say(`Uploading image from file '${basename(file)}':`);
  const before = new Set((await arm.list<Image>(`${catalog.id}/images`)).map(({ name }) => name));
  const uploaded = await arm.call<Image>("POST", `${catalog.id}/uploadImage`, {
    properties: {
      image: Buffer.from(bytes).toString("base64"),
      regionalDataBoundary: optional(given, "regionalDataBoundary"),
      temporary: given.temporary === true,
    },
  });
  const { imageId, imageName, componentId } = uploaded.properties;
  context.say(` --> Image ID:       ${imageId}`);
  context.say(` --> Component ID:   ${componentId}`);
  context.say(` --> Component name: '${imageName}'`);
  if (!given.temporary && !before.has(uploaded.name)) {
    context.say("Removing temporary state for uploaded image.");
  }
  return {
    value: shown(context, uploaded),
    text:
      `Successfully uploaded image with ID '${imageId}' and name '${imageName}' ` +
      `to component with ID '${componentId}'.`,
  };
}

async function imageAt(context: Context, given: Given) {
  const arm = await context.arm();
  const catalog = await arm.catalog(given);
  const id = `${catalog.id}/images/${text(given, "image")}`;
  return { arm, id, image: await arm.call<Image>("GET", id) };
}

export const cloudImageEntries: readonly Entry[] = [
  {
    words: "image add",
    aliases: ["image upload"],
    summary: "upload an image package, which the service signs for production",
    options: {
      "--temporary": "forget it after two days",
      "--force": "understood; nothing is asked",
      "-r, --regional-data-boundary <boundary>": "None or EU",
    },
    v2: { "!-i, --image --image-path --filepath <file>": "the package" },
    az: { "!--image-path --image -img <file>": "the package" },
    needs: ["cloud"],
    examples: ["--image app.imagepackage"],
    azExamples: ["--image-path app.imagepackage"],
    run: add,
  },
  {
    words: "image list",
    summary: "print all images of a tenant",
    needs: ["cloud"],
    examples: ["", '--query "[].name" --output tsv'],
    async run(context, given) {
      const arm = await context.arm();
      const catalog = await arm.catalog(given);
      return { value: shownAll(context, await arm.list(`${catalog.id}/images`)) };
    },
  },
  {
    words: "image show",
    summary: "print an image",
    options: IMAGE,
    needs: ["cloud"],
    examples: ["--image 6415a939-c098-48cf-8e5c-02b52a9f0ffb"],
    async run(context, given) {
      const { image } = await imageAt(context, given);
      return { value: shown(context, image as Resource) };
    },
  },
  {
    words: "image download",
    only: "azsphere",
    summary: "write an image to a file, as devices get it",
    options: { ...IMAGE, "!--destination --output-file -of <file>": "the file to write" },
    needs: ["cloud"],
    examples: ["--image 6415a939-c098-48cf-8e5c-02b52a9f0ffb --destination app.imagepackage"],
    async run(context, given) {
      const { image } = await imageAt(context, given);
      const file = text(given, "destination");
      writeFile(file, await fetchLink(await context.lab(), image.properties.uri));
      return { text: `Image '${image.properties.imageName}' written to '${file}'.` };
    },
  },
  {
    words: "image delete",
    summary: "delete an image that no device is to have",
    options: { ...IMAGE, "-y, --yes": "understood; nobody is asked" },
    needs: ["cloud"],
    examples: ["--image 6415a939-c098-48cf-8e5c-02b52a9f0ffb"],
    async run(context, given) {
      const { arm, id } = await imageAt(context, given);
      await arm.call("DELETE", id);
      return { text: `Successfully deleted image '${text(given, "image")}'.` };
    },
  },
];
