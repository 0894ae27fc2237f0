import type { Device } from "../device.ts";
import type { Entry } from "../table.ts";

/** One component of `GET /images`. */
export interface Component {
  readonly uid: string;
  readonly image_type: number;
  readonly name: string;
  readonly images: readonly { readonly uid: string; readonly length_in_bytes: number }[];
}

export const IMAGE_KINDS = { application: 10, boardConfiguration: 21 } as const;
/** Comes with application development, and is no application of a user. */
const DEBUG_SERVER = "gdbserver";

export async function imagesOf(device: Device): Promise<readonly Component[]> {
  return (await device.get<{ components: readonly Component[] }>("/images")).components;
}

/** Applications of users. */
export async function applicationsOf(device: Device): Promise<readonly Component[]> {
  return (await imagesOf(device)).filter(
    ({ image_type, name }) => image_type === IMAGE_KINDS.application && name !== DEBUG_SERVER,
  );
}

const KIND_NAMES: Readonly<Record<number, string>> = {
  [IMAGE_KINDS.application]: "Application",
  [IMAGE_KINDS.boardConfiguration]: "Board configuration",
};

export const kindName = (type: number): string =>
  KIND_NAMES[type] ?? `System software image type ${type}`;

/** The layout of all lists of images. */
export const imageLines = (name: string, kind: string, component: string, image: string) => [
  ` --> ${name}`,
  `   --> Image type:   ${kind}`,
  `   --> Component ID: ${component}`,
  `   --> Image ID:     ${image}`,
];

export const imageEntries: readonly Entry[] = [
  {
    words: "device image list-installed",
    summary: "print the images on the attached device",
    options: { "-a, --all --full": "also those of the operating system" },
    needs: ["device"],
    examples: ["", "--all", '--query "[].name" --output tsv'],
    async run(context, given) {
      const device = await context.device(given);
      const all = await imagesOf(device);
      const kinds: readonly number[] = Object.values(IMAGE_KINDS);
      const shown = given.all ? all : all.filter(({ image_type }) => kinds.includes(image_type));
      const lines = shown.flatMap(({ name, image_type, uid, images }) =>
        imageLines(name, kindName(image_type), uid, images[0]?.uid ?? ""),
      );
      return {
        value: shown,
        text: shown.length === 0 ? "No installed images." : ["Installed images:", ...lines],
      };
    },
  },
];
