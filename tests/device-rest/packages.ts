import { CAPABILITY_COMPONENT, type ImageTrust } from "../../host-sim/device/package-check.ts";
import { packImage, type Signer, writeFilesystem } from "../../host-sim/imagepackage/index.ts";
import { developmentSections } from "../../host-sim/imagepackage/pack.ts";
import { sealImage } from "../../host-sim/imagepackage/signature.ts";
import { compileFixture } from "../assembly/support.ts";
import { newKey } from "../imagepackage/support.ts";
import type { TestDeviceOptions } from "./support.ts";

const development = newKey("development");
const production = newKey("production");
export const STRANGER = newKey("stranger").signer;
export const DEVELOPMENT = development.signer;
export const PRODUCTION = production.signer;

/** Whom the test's device trusts. */
export const TRUST: ImageTrust = {
  production: () => production.trust,
  development: () => development.trust,
};
export const TRUSTING: TestDeviceOptions = { trust: TRUST };

export const { wasm: WASM } = await compileFixture("faults");
export const ONE = "2f074b0f-d99d-4692-82d9-ef93a7d6463c";
export const TWO = "ae4714aa-03aa-492b-9663-962f966a9cc3";

export interface AppRequest {
  readonly component?: string;
  readonly name?: string;
  readonly capabilities?: object;
  /** Fields of the manifest beside those. */
  readonly manifest?: object;
  /** What the fixture does at its start. */
  readonly fault?: string;
  readonly signer?: Signer;
  readonly imageId?: string;
  readonly files?: readonly { readonly path: string; readonly content: Uint8Array }[];
  readonly apiSet?: number;
}

export function manifestText(request: AppRequest = {}): string {
  const { component = ONE, name = "TestApp", capabilities = {}, fault = "nothing" } = request;
  return JSON.stringify({
    ...{ SchemaVersion: 1, Name: name, ComponentId: component, EntryPoint: "/bin/app" },
    ...{ CmdArgs: [fault], Capabilities: capabilities, ...request.manifest },
  });
}

/** A package of the fixture that ends as its first argument says, or stays. */
export function packApp(request: AppRequest = {}): Buffer {
  const manifest = manifestText(request);
  const { signer = DEVELOPMENT, apiSet = 17, imageId } = request;
  const files = request.files ?? [{ path: "app.wasm", content: WASM }];
  return Buffer.from(packImage({ manifest, files, signer, apiSet, imageId, buildTime: 1 }));
}

/** A package whose manifest is any text, which no packer would write. */
export function packRaw(manifest: string | undefined, component = ONE): Buffer {
  const files = [{ path: "app.wasm", content: WASM, executable: false }];
  const content = Buffer.from(manifest ?? "");
  if (manifest !== undefined) files.push({ path: "app_manifest.json", content, executable: false });
  const sections = developmentSections({
    ...{ componentId: component, imageId: TWO, name: "raw", buildTime: 1, apiSet: 17 },
  });
  return Buffer.from(sealImage(writeFilesystem(files), sections, DEVELOPMENT));
}

export const OTHER_IMAGE = "6415a939-c098-48cf-8e5c-02b52a9f0ffb";

/** An image of any type around any payload. */
export function packOther(
  imageType: number,
  componentId: string,
  payload: Uint8Array,
  signer = PRODUCTION,
): Buffer {
  const imageId = OTHER_IMAGE;
  return Buffer.from(
    sealImage(
      payload,
      [
        { kind: "Identity", imageType, componentId, imageId },
        { kind: "Signature", thumbprint: "0".repeat(40), signingType: 1 },
        { kind: "Debug", buildTime: 1, name: "other" },
      ],
      signer,
    ),
  );
}

export const capabilityImage = (deviceId: string, capabilities: unknown, signer = PRODUCTION) =>
  packOther(
    28,
    CAPABILITY_COMPONENT,
    Buffer.from(JSON.stringify({ deviceId, capabilities })),
    signer,
  );
