import { createHash } from "node:crypto";

/** Types of images, as their metadata numbers them. */
export const IMAGE_TYPES = { application: 10, boardConfiguration: 21 } as const;

/** A part of the operating system. */
export interface OsComponent {
  /** Lower-case GUID. */
  readonly componentId: string;
  readonly imageId: string;
  readonly imageType: number;
  readonly name: string;
  readonly bytes: number;
}

export interface OsRelease {
  readonly version: string;
  readonly components: readonly OsComponent[];
}

/** Versions of the interfaces that an image may ask for. */
export const ABI_VERSIONS = {
  SecureWorldRuntime: 4,
  OSRuntime: 4,
  ApplicationRuntime: 17,
} as const;

export const OS_VERSIONS: readonly string[] = ["24.03", "24.06"];

interface Part {
  readonly name: string;
  readonly imageType: number;
  readonly bytes: number;
  /** Published ones; the others are ours. */
  readonly componentId?: string;
}

const PARTS: readonly Part[] = [
  { name: "Pluton Runtime", imageType: 2, bytes: 24_240 },
  { name: "WifiFirmware", imageType: 3, bytes: 295_536 },
  { name: "Security Monitor", imageType: 4, bytes: 61_812 },
  { name: "NW Loader", imageType: 5, bytes: 12_352 },
  { name: "NW Device Tree", imageType: 6, bytes: 9_564 },
  {
    ...{ name: "NW Kernel", imageType: 7, bytes: 2_863_312 },
    componentId: "ec96028b-080b-4ff5-9ef1-b40264a8c652",
  },
  {
    ...{ name: "NW Root Filesystem", imageType: 8, bytes: 3_076_304 },
    componentId: "f7fd0c88-d005-45c6-ac4b-88afdbf2dc6a",
  },
  { name: "azured", imageType: 9, bytes: 467_156 },
  { name: "networkd", imageType: 9, bytes: 213_204 },
  { name: "gatewayd", imageType: 9, bytes: 188_628 },
];

/** A release of the virtual Sphere OS; the ids of its images belong to the version. */
export function osRelease(version: string): OsRelease {
  const components = PARTS.map(({ name, imageType, bytes, componentId }) => ({
    ...{ name, imageType, bytes },
    componentId: componentId ?? guidOf(`component ${name}`),
    imageId: guidOf(`image ${name} ${version}`),
  }));
  return { version, components };
}

/** The list of releases in the form in which Azure Sphere publishes its own (`mt3620an.json`). */
export function releaseList() {
  return {
    versions: OS_VERSIONS.map((name) => ({
      name,
      images: osRelease(name).components.map(({ componentId, imageId }) => ({
        cid: componentId,
        iid: imageId,
      })),
    })),
  };
}

/** A GUID of version 8 (made from other data) that belongs to a text. */
export function guidOf(text: string): string {
  const hex = createHash("sha256").update(`spherule ${text}`).digest("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`];
  return [...parts, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join("-");
}
