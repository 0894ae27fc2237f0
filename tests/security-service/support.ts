import { type RequestOptions, request } from "node:https";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import { writeFilesystem } from "../../host-sim/imagepackage/asxipfs-writer.ts";
import type { Section } from "../../host-sim/imagepackage/metadata.ts";
import {
  createSigner,
  createTrustStore,
  sealImage,
} from "../../host-sim/imagepackage/signature.ts";
import { silentLogger } from "../../host-sim/log.ts";
import {
  createServerRoot,
  issueServerCertificate,
  type SigningKey,
} from "../../host-sim/pki/index.ts";
import {
  API_VERSION,
  createSecurityServer,
  createSecurityService,
  LAB_SUBSCRIPTION,
  manufactureDevice,
  newSigningKey,
  type SecurityServerOptions,
} from "../../host-sim/security-service/index.ts";
import { openMemoryStore, type Store } from "../../host-sim/store/index.ts";

const root = createServerRoot();
export const credentials = issueServerCertificate(root, {
  dns: ["localhost", "prod.core.sphere.azure.net"],
  ip: ["127.0.0.1"],
});
/** The root that clients trust. */
export const CA = root.certificate;
export const START = Date.UTC(2026, 5, 1);

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed JSON; undefined when there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
  readonly body: any;
  readonly bytes: Buffer;
}

/** One HTTPS request with full verification of the server. */
export function send(
  url: string,
  method: string,
  body?: unknown,
  options: RequestOptions = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { ca: CA, agent: false, ...options, method }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => {
        const bytes = Buffer.concat(chunks);
        const json = response.headers["content-type"]?.startsWith("application/json");
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: json && bytes.length > 0 ? JSON.parse(bytes.toString("utf8")) : undefined,
          bytes,
        });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body));
  });
}

/** A running service with the catalog `contoso` in the resource group `lab`. */
export async function startService(
  options: Partial<SecurityServerOptions> & { readonly store?: Store } = {},
) {
  const { store = openMemoryStore(), ...more } = options;
  const clock = new SteppedClock(START);
  const developer = newSigningKey("a developer", START);
  const known = [developer];
  const developers = () =>
    createTrustStore(known.map(({ certificate }) => ({ name: "a developer", certificate })));
  const service = createSecurityService({ store, clock, logger: silentLogger, developers });
  const tenant = service.createTenant("contoso");
  const server = createSecurityServer(service, {
    ...{ host: "127.0.0.1", port: 0, credentials },
    ...more,
  });
  const { port } = await server.start();
  const url = `https://127.0.0.1:${port}`;
  const token = server.tokens.issue().accessToken;

  /** A request below the subscription; absolute links are taken as they are. */
  function arm(method: string, path: string, body?: unknown, headers: object = {}): Promise<Reply> {
    const full = path.startsWith("https:") ? path : `${url}${path}`;
    const versioned = full.includes("api-version=")
      ? full
      : `${full}${full.includes("?") ? "&" : "?"}api-version=${API_VERSION}`;
    const given = { authorization: `Bearer ${token}`, ...headers } as Record<string, string>;
    return send(versioned.replaceAll(" ", "%20"), method, body, { headers: given });
  }

  /** A request, and what came of it when the service took its time: status, or "Failed" of a PUT. */
  async function done(method: string, path: string, body?: unknown) {
    const first = await arm(method, path, body);
    const poll = first.headers["azure-asyncoperation"];
    if (poll === undefined) return { ...first, accepted: undefined };
    const { headers } = first;
    const ended = await arm("GET", String(poll));
    if (ended.body.status === "InProgress")
      throw new Error("it goes on longer than the test waits");
    if (headers.location) {
      return { ...(await arm("GET", String(headers.location))), accepted: first.status };
    }
    const { properties } = ended.body;
    if (ended.body.status === "Failed") return { ...ended, status: "Failed", accepted: 201 };
    return { ...ended, body: properties, status: first.status, accepted: first.status };
  }

  return {
    done,
    /** Signs packages; uploads of all `known` ones are taken. */
    ...{ developer, known },
    ...{ store, clock, service, server, url, port, token, arm, tenantId: tenant.tenantId },
    /** The path of the catalog. */
    catalog:
      `/subscriptions/${LAB_SUBSCRIPTION}/resourceGroups/lab` +
      "/providers/Microsoft.AzureSphere/catalogs/contoso",
    /** Claims a new device into the catalog. */
    claimed() {
      const device = manufactureDevice();
      service.claim(tenant.tenantId, device.deviceId);
      return device;
    },
    stop: () => server.stop(),
  };
}

export type TestService = Awaited<ReturnType<typeof startService>>;

export interface TestPackage {
  readonly name?: string;
  readonly componentId?: string;
  readonly imageId?: string;
  readonly imageType?: number;
  /** For a real-time core. */
  readonly realTime?: boolean;
  /** The program; some bytes that do not compress when absent. */
  readonly program?: Uint8Array;
  /** For the wasm body; the package has none when absent. */
  readonly wasm?: Uint8Array;
  readonly args?: readonly string[];
  readonly capabilities?: object;
  readonly signer: SigningKey;
}

export const COMPONENT = "11111111-aaaa-4bbb-8ccc-222222222222";
export const IMAGE = "33333333-aaaa-4bbb-8ccc-444444444444";

/** A development package as a packer makes it. */
export function makePackage(options: TestPackage): Buffer {
  const { name = "TestApp", componentId = COMPONENT, imageId = IMAGE, imageType = 10 } = options;
  const manifest = {
    SchemaVersion: 1,
    Name: name,
    ComponentId: componentId,
    EntryPoint: "/bin/app",
    CmdArgs: options.args ?? [],
    Capabilities: options.capabilities ?? {},
  };
  const { wasm } = options;
  const payload = writeFilesystem([
    ...(wasm ? [{ path: "app.wasm", content: wasm, executable: false }] : []),
    {
      path: "app_manifest.json",
      content: Buffer.from(JSON.stringify(manifest)),
      executable: false,
    },
    { path: "bin/app", content: options.program ?? Buffer.from("a program"), executable: true },
  ]);
  const signer = createSigner(options.signer.privateKey, options.signer.certificate);
  const sections: Section[] = [
    { kind: "Identity", imageType, componentId, imageId },
    { kind: "Signature", thumbprint: signer.thumbprint, signingType: 1 },
    { kind: "Debug", buildTime: START / 1000, name },
    { kind: "TemporaryImage", flags: 2 },
    // The API set of a high-level application.
    { kind: "AbiDepends", abis: options.realTime ? [] : [{ version: 1, type: 3 }] },
  ];
  return Buffer.from(sealImage(payload, sections, signer));
}
