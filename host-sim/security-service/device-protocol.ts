import { createPublicKey, type KeyObject, type X509Certificate } from "node:crypto";
import { LabError } from "../errors.ts";
import { ArmError } from "./arm/errors.ts";
import { isObject, type JsonObject, requiredText } from "./arm/http.ts";
import type { InstalledImage } from "./devices.ts";
import type { InsightEvent } from "./insights.ts";
import type { SecurityService } from "./security-service.ts";

/** The certificates that a device showed in the TLS handshake. */
export interface PeerCertificates {
  readonly leaf: X509Certificate | undefined;
  readonly presented: readonly X509Certificate[];
}

interface DeviceRequest {
  readonly body: unknown;
  readonly peer: PeerCertificates;
}

/**
 * What devices ask for. The real protocol is not public: paths and bodies are the lab's own, see
 * docs/security-service.md. A handler's answer is JSON; a `Uint8Array` is sent as it is.
 */
export function createDeviceProtocol(service: SecurityService) {
  const deviceOf = ({ peer }: DeviceRequest) => service.deviceOf(peer.leaf, peer.presented);
  const handlers: Readonly<Record<string, (request: DeviceRequest) => unknown>> = {
    "POST /device/v1/attestation/nonce": () => ({ nonce: service.nonce() }),
    "POST /device/v1/attestation": ({ body }) => {
      const given = objectOf(body);
      return service.attestDevice({
        deviceId: requiredText(given, "deviceId"),
        nonce: requiredText(given, "nonce"),
        publicKey: publicKeyOf(requiredText(given, "publicKey")),
        signature: requiredText(given, "signature"),
      });
    },
    "POST /device/v1/update/manifest": (request) =>
      service.updates.manifest(deviceOf(request), stateOf(objectOf(request.body))),
    "POST /device/v1/update/report": (request) => {
      const given = objectOf(request.body);
      service.updates.report(deviceOf(request), { ...stateOf(given), events: eventsOf(given) });
      return {};
    },
  };

  return {
    /** Undefined when the path is none of a device's. */
    handle(method: string, path: string, request: DeviceRequest): unknown {
      const image = /^\/device\/v1\/os-images\/([\w-]+)$/.exec(path)?.[1];
      if (method === "GET" && image !== undefined) {
        deviceOf(request);
        return osImage(service, image);
      }
      return handlers[`${method} ${path}`]?.(request);
    },
  };
}

function osImage(service: SecurityService, imageId: string): Uint8Array {
  const bytes = service.releases.bytes(imageId.toLowerCase());
  if (bytes) return bytes;
  throw new LabError(
    "image-unknown",
    `No release of the operating system has an image ${imageId}.`,
    "Ask for the update manifest again.",
  );
}

function objectOf(body: unknown): JsonObject {
  if (isObject(body)) return body;
  throw invalid("The request's body is no JSON object.");
}

function stateOf(given: JsonObject) {
  const { installed } = given;
  if (!Array.isArray(installed)) throw invalid("'installed' has to be a list.");
  const ids = installed.map((item: unknown): InstalledImage => {
    const image = objectOf(item);
    return {
      componentId: requiredText(image, "componentId"),
      imageId: requiredText(image, "imageId"),
    };
  });
  return { osVersion: requiredText(given, "osVersion"), installed: ids };
}

function eventsOf({ events = [] }: JsonObject): InsightEvent[] {
  if (!Array.isArray(events)) throw invalid("'events' has to be a list.");
  return events.map((item: unknown) => {
    const event = objectOf(item);
    return {
      description: requiredText(event, "description"),
      eventCategory: requiredText(event, "eventCategory"),
      eventClass: requiredText(event, "eventClass"),
      eventType: requiredText(event, "eventType"),
    };
  });
}

/** @param text SubjectPublicKeyInfo in base64 */
function publicKeyOf(text: string): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(text, "base64"), format: "der", type: "spki" });
    if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return key;
  } catch {
    // Told below, as any other key that does not fit.
  }
  throw invalid("'publicKey' is no P-256 key as SubjectPublicKeyInfo in base64.");
}

function invalid(message: string): ArmError {
  return new ArmError(400, "InvalidRequestContent", message);
}
