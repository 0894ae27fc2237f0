import type { Store } from "../../store/index.ts";
import { DEPLOYED_TYPES, type ImageIds, type OfferedImage } from "./protocol.ts";

/** An image in the device's flash. */
export interface StoredImage extends ImageIds {
  readonly name: string;
  readonly imageType: number;
  /** The image itself, decompressed and signed; empty for the system's, which nothing here runs. */
  readonly bytes: Uint8Array;
}

interface Entry extends Omit<StoredImage, "bytes"> {
  /** Base64. */
  readonly content: string;
}

interface OsState {
  readonly version: string;
  readonly images: readonly ImageIds[];
}

export interface FactoryOs {
  readonly version: string;
  readonly images: readonly (ImageIds & { readonly imageType: number })[];
}

export type ImageStore = ReturnType<typeof createImageStore>;

const OS = "device/os/installed";
const STAGED = "device/staged/";
const INSTALLED = "device/installed/";

/**
 * The images of a device: staged ones, which nothing runs, and installed ones. Each change is one
 * write or one transaction, so that a power cut leaves the state before it or after it.
 */
export function createImageStore(store: Store, factory: FactoryOs) {
  const os = (): OsState => store.get<OsState>(OS) ?? factory;
  const entries = (prefix: string): StoredImage[] =>
    [...store.entries<Entry>(prefix)].map(([, { content, ...image }]) => ({
      ...image,
      bytes: Buffer.from(content, "base64"),
    }));
  const deployed = (image: { readonly imageType: number }) =>
    DEPLOYED_TYPES.includes(image.imageType);

  function discard(): void {
    for (const [key] of [...store.entries(STAGED)]) store.delete(key);
  }

  return {
    osVersion: (): string => os().version,
    /** Apps and board configurations that came over the air. */
    deployed: (): StoredImage[] => entries(INSTALLED),
    /** Ids of all installed images, the system's too. */
    installed: (): ImageIds[] => [
      ...os().images.map(({ componentId, imageId }) => ({ componentId, imageId })),
      ...entries(INSTALLED).map(({ componentId, imageId }) => ({ componentId, imageId })),
    ],
    isStaged: ({ componentId, imageId }: ImageIds): boolean =>
      store.get<Entry>(STAGED + componentId)?.imageId === imageId,
    staged: (): StoredImage[] => entries(STAGED),
    stage({ componentId, imageId, name, imageType }: OfferedImage, bytes: Uint8Array): void {
      const content = deployed({ imageType }) ? Buffer.from(bytes).toString("base64") : "";
      const entry: Entry = { componentId, imageId, name, imageType, content };
      store.put(STAGED + componentId, entry);
    },
    discard,
    /**
     * Makes the staged images the installed ones.
     * @param removed components that go
     */
    installDeployed: (removed: readonly string[]): void =>
      store.transaction(() => {
        for (const componentId of removed) store.delete(INSTALLED + componentId);
        for (const [key, entry] of [...store.entries<Entry>(STAGED)]) {
          if (deployed(entry)) store.put(INSTALLED + entry.componentId, entry);
          store.delete(key);
        }
      }),
    /** The same for the system's images. @param version what it is called with them */
    installOs: (version: string): void =>
      store.transaction(() => {
        const images = new Map(os().images.map((image) => [image.componentId, image.imageId]));
        for (const [key, entry] of [...store.entries<Entry>(STAGED)]) {
          images.set(entry.componentId, entry.imageId);
          store.delete(key);
        }
        const all = [...images].map(([componentId, imageId]) => ({ componentId, imageId }));
        store.put(OS, { version, images: all } satisfies OsState);
      }),
    /** A recovery: the system is this one, and nothing else is there. */
    recover: (version: string, images: readonly ImageIds[]): void =>
      store.transaction(() => {
        for (const [key] of [...store.entries(INSTALLED)]) store.delete(key);
        discard();
        const ids = images.map(({ componentId, imageId }) => ({ componentId, imageId }));
        store.put(OS, { version, images: ids } satisfies OsState);
      }),
    /** An app that was put there by cable takes the place of those from the air. */
    forgetDeployed(): void {
      store.transaction(() => {
        for (const [key] of [...store.entries(INSTALLED)]) store.delete(key);
        discard();
      });
    },
  };
}
