import { randomUUID } from "node:crypto";
import { LabError } from "../errors.ts";
import { DAY_MS, type ServiceContext, values } from "./context.ts";
import type { ImageSigning } from "./image-signing.ts";
import type { GroupSettings } from "./products.ts";

/** A component of the operating system; ids are lower case, clients compare them as text. */
export interface OsImage {
  readonly componentId: string;
  readonly imageId: string;
  readonly name: string;
  readonly imageType: number;
}

export interface OsRelease {
  /** As Azure Sphere numbers them, e.g. `24.03`. */
  readonly version: string;
  /** Milliseconds since the Unix epoch: when the feeds RetailEval and Retail have it. */
  readonly evaluationAt: number;
  readonly retailAt: number;
  readonly images: readonly OsImage[];
  /** Order of publication. */
  readonly sequence: number;
}

export type OsReleases = ReturnType<typeof createOsReleases>;

/** What a virtual device leaves the factory with. */
const FIRST_VERSION = "24.03";
/** Retail follows RetailEval after two weeks. */
const EVALUATION_MS = 14 * DAY_MS;
const PREFIX = "security-service/os-releases/";

/** Trusted key store and certificate store come before the system itself. */
const COMPONENTS = [
  ["Trusted Keystore", 19, "3b8a5b4d-53c4-4b1f-9f32-5d0f3c2a7e10"],
  ["Update Cert Store", 22, "d8f3c7a1-0e58-4f3b-8c66-2b9a4d1e6f20"],
  ["NW Kernel", 7, "ec96028b-080b-4ff5-9ef1-b40264a8c652"],
  ["NW Root Filesystem", 8, "f7fd0c88-d005-45c6-ac4b-88afdbf2dc6a"],
] as const;
const PREREQUISITES: readonly number[] = [19, 22];

export const isPrerequisite = ({ imageType }: OsImage): boolean =>
  PREREQUISITES.includes(imageType);

/** The releases of the operating system and the feeds that have them. */
export function createOsReleases(context: ServiceContext, signing: ImageSigning) {
  const { store, clock, logger } = context;
  const bytesKey = (imageId: string) => `security-service/os-images/${imageId}`;
  const list = (): OsRelease[] =>
    values<OsRelease>(store, PREFIX).sort((a, b) => a.sequence - b.sequence);

  /** Images are a line of text that names the release: the virtual system runs none of them. */
  function build(version: string, [name, imageType, componentId]: (typeof COMPONENTS)[number]) {
    const image = { componentId, imageId: randomUUID(), name, imageType };
    const payload = Buffer.from(`${name} of Spherule's virtual Sphere OS ${version}\n`);
    const bytes = signing.build(image, payload, clock.now());
    store.put(bytesKey(image.imageId), Buffer.from(bytes).toString("base64"));
    return image;
  }

  function publish(version: string, evaluationAt: number, retailAt: number): OsRelease {
    return store.transaction(() => {
      const images = COMPONENTS.map((component) => build(version, component));
      const release = { version, evaluationAt, retailAt, images, sequence: list().length };
      store.put(PREFIX + version, release);
      return release;
    });
  }

  if (list().length === 0) publish(FIRST_VERSION, 0, 0);

  return {
    list,
    /** What devices are made with. */
    first: (): OsRelease => list()[0] as OsRelease,
    /** The newest release that a feed has now. */
    current(feed: GroupSettings["osFeedType"]): OsRelease {
      const now = clock.now();
      const there = list().filter((release) =>
        feed === "Retail" ? release.retailAt <= now : release.evaluationAt <= now,
      );
      return there.at(-1) ?? (list()[0] as OsRelease);
    },
    /**
     * Brings out a release: at once to RetailEval, two weeks later to Retail.
     * @param retailNow to Retail at once too
     * @throws LabError os-version-invalid
     */
    publish(version: string, retailNow = false): OsRelease {
      const known = list().some((release) => release.version === version);
      if (known || !/^\d{2}\.\d{2}(\.\d+)?$/.test(version)) throw badVersion(version, known);
      const now = clock.now();
      logger.info(`OS ${version} released`);
      return publish(version, now, retailNow ? now : now + EVALUATION_MS);
    },
    /** The signed bytes of an image of some release. */
    bytes(imageId: string): Uint8Array | undefined {
      const text = store.get<string>(bytesKey(imageId));
      return text === undefined ? undefined : Buffer.from(text, "base64");
    },
    /** The list that tools look an OS version up in, as `mt3620an.json` publishes it. */
    published: () => ({
      versions: list().map(({ version, images }) => ({
        name: version,
        images: images.map(({ componentId, imageId }) => ({ cid: componentId, iid: imageId })),
      })),
    }),
  };
}

function badVersion(version: string, known: boolean): LabError {
  return new LabError(
    "os-version-invalid",
    known ? `OS ${version} is out already.` : `'${version}' is no version of the Sphere OS.`,
    "Give a new version such as 25.04.",
  );
}
