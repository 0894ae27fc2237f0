import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { LabError } from "../errors.ts";
import { DAY_MS, type ServiceContext, values } from "./context.ts";
import type { ImageSigning } from "./image-signing.ts";
import type { BOUNDARIES } from "./products.ts";

/** An image of a catalog. Its bytes are signed with the service's production key. */
export interface Image {
  readonly imageId: string;
  readonly componentId: string;
  readonly name: string;
  readonly description: string;
  /** 10 application, 21 board configuration. */
  readonly imageType: number;
  /** An application that is not for a real-time core. */
  readonly highLevel?: boolean;
  readonly regionalDataBoundary: (typeof BOUNDARIES)[number];
  /** Bytes of the cloud form, which is compressed. */
  readonly downloadBytes: number;
  /** Bytes of flash that it takes on a device. */
  readonly installedBytes: number;
  /** Milliseconds since the Unix epoch. */
  readonly uploadedAt: number;
  /** When a temporary image is forgotten; null for the others. */
  readonly expiresAt: number | null;
}

export interface Upload {
  readonly bytes: Uint8Array;
  readonly description?: string;
  readonly regionalDataBoundary?: Image["regionalDataBoundary"];
  /** Kept for two days only, for a factory. */
  readonly temporary?: boolean;
  /** The id that the caller expects the package to have. */
  readonly imageId?: string;
}

export type Images = ReturnType<typeof createImages>;

/** A package larger than the flash of a device is refused at once. */
export const LARGEST_IMAGE = 1024 * 1024;
const TEMPORARY_MS = 2 * DAY_MS;
const LINK_LIFETIME_MS = DAY_MS;
const LINK_KEY = "security-service/keys/downloads";

/** The images of all catalogs. */
export function createImages(context: ServiceContext, signing: ImageSigning) {
  const { store, clock, logger } = context;
  const prefix = (tenantId: string) => `security-service/images/${tenantId}/`;
  const key = (tenantId: string, id: string) => prefix(tenantId) + id.toLowerCase();
  const bytesKey = (tenantId: string, id: string) =>
    `security-service/image-bytes/${tenantId}/${id.toLowerCase()}`;

  const expired = ({ expiresAt }: Image) => expiresAt !== null && expiresAt <= clock.now();

  function remove(tenantId: string, id: string): boolean {
    const found = store.get<Image>(key(tenantId, id));
    store.transaction(() => {
      store.delete(key(tenantId, id));
      store.delete(bytesKey(tenantId, id));
    });
    return found !== undefined;
  }

  function find(tenantId: string, id: string): Image | undefined {
    const image = store.get<Image>(key(tenantId, id));
    return image && !expired(image) ? image : undefined;
  }

  function list(tenantId: string): Image[] {
    const all = values<Image>(store, prefix(tenantId));
    for (const { imageId } of all.filter(expired)) remove(tenantId, imageId);
    return all.filter((image) => !expired(image));
  }

  function linkSignature(tenantId: string, id: string, expires: number): Buffer {
    return createHmac("sha256", linkSecret()).update(`${tenantId}/${id}/${expires}`).digest();
  }

  function linkSecret(): string {
    const known = store.get<string>(LINK_KEY);
    if (known !== undefined) return known;
    const secret = randomBytes(32).toString("base64");
    store.put(LINK_KEY, secret);
    return secret;
  }

  return {
    find,
    list,
    remove,
    /** @throws LabError image-unknown */
    get: (tenantId: string, id: string): Image => find(tenantId, id) ?? unknown(id),
    /** The cloud form of an image. */
    bytes(tenantId: string, id: string): Uint8Array {
      const text = find(tenantId, id) && store.get<string>(bytesKey(tenantId, id));
      return text === undefined ? unknown(id) : Buffer.from(text, "base64");
    },
    /**
     * Checks a package, signs it with the production key and keeps its cloud form. The same image
     * again changes only what is said about it.
     * @throws LabError image-too-large, image-untrusted, image-name-taken, image-id-mismatch and
     *   those of a damaged package
     */
    upload(tenantId: string, upload: Upload): Image {
      const { bytes, imageId, description = "", regionalDataBoundary = "None" } = upload;
      if (bytes.length > LARGEST_IMAGE) throw tooLarge(bytes.length);
      const signed = signing.sign(bytes, clock.now());
      if (imageId !== undefined && imageId.toLowerCase() !== signed.imageId) {
        throw mismatch(imageId, signed.imageId);
      }
      const taken = list(tenantId).find(
        ({ name, componentId }) => name === signed.name && componentId !== signed.componentId,
      );
      if (taken) throw nameTaken(taken);
      const { cloudForm, ...identity } = signed;
      const image: Image = {
        ...identity,
        description,
        regionalDataBoundary,
        downloadBytes: cloudForm.length,
        uploadedAt: clock.now(),
        expiresAt: upload.temporary ? clock.now() + TEMPORARY_MS : null,
      };
      store.transaction(() => {
        store.put(key(tenantId, image.imageId), image);
        const kept = Buffer.from(cloudForm).toString("base64");
        store.put(bytesKey(tenantId, image.imageId), kept);
      });
      logger.info(`image ${image.name} (${image.imageId}) added`);
      return image;
    },
    /** A path that lets whoever has it download the image for a day. */
    downloadPath(tenantId: string, id: string): string {
      const expires = clock.now() + LINK_LIFETIME_MS;
      const signature = linkSignature(tenantId, id, expires).toString("base64url");
      return `/downloads/${tenantId}/${id}?se=${expires}&sig=${signature}`;
    },
    /** @throws LabError link-invalid */
    checkLink(tenantId: string, id: string, query: URLSearchParams): void {
      const expires = Number(query.get("se"));
      const given = Buffer.from(query.get("sig") ?? "", "base64url");
      const wanted = linkSignature(tenantId, id, expires);
      const genuine = given.length === wanted.length && timingSafeEqual(given, wanted);
      if (!genuine || expires < clock.now()) throw badLink();
    },
  };
}

function unknown(id: string): never {
  throw new LabError(
    "image-unknown",
    `The catalog has no image ${id}.`,
    "List the images, or upload it.",
  );
}

function tooLarge(bytes: number): LabError {
  return new LabError(
    "image-too-large",
    `The image package has ${bytes} bytes, more than the ${LARGEST_IMAGE} of a device's flash.`,
    "Make the app smaller, for example with a release build.",
  );
}

function mismatch(asked: string, actual: string): LabError {
  return new LabError(
    "image-id-mismatch",
    `The package is image ${actual}, the request names ${asked}.`,
    "Name the id that the package has, or use uploadImage, which reads it from the package.",
  );
}

function nameTaken({ name, componentId }: Image): LabError {
  return new LabError(
    "image-name-taken",
    `The name '${name}' belongs to component ${componentId} of this catalog already.`,
    "Give the app another Name in its manifest, or the ComponentId that has the name.",
  );
}

function badLink(): LabError {
  return new LabError(
    "link-invalid",
    "The download link is not genuine or too old.",
    "Ask for the image again; its uri holds for a day.",
  );
}
