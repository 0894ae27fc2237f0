/** What a device's publish means, read from its topic. */
export type Publication =
  | { readonly kind: "telemetry"; readonly bag: string }
  | { readonly kind: "twin-get"; readonly requestId: string }
  | { readonly kind: "twin-patch"; readonly requestId: string; readonly version?: number }
  | { readonly kind: "method-answer"; readonly requestId: string; readonly status: number };

/** What a device may subscribe to. */
export type Subscription = "messages" | "inputs" | "twin-answers" | "desired" | "methods";

interface Identity {
  readonly deviceId: string;
  readonly moduleId?: string;
}

/** Where an identity's own topics begin. */
function scopeOf({ deviceId, moduleId }: Identity): string {
  return moduleId === undefined ? `devices/${deviceId}` : `devices/${deviceId}/modules/${moduleId}`;
}

/** @returns undefined for a topic that this identity may not use */
export function parsePublication(topic: string, identity: Identity): Publication | undefined {
  const telemetry = `${scopeOf(identity)}/messages/events`;
  if (topic === telemetry || topic.startsWith(`${telemetry}/`)) {
    const bag = topic.slice(telemetry.length + 1).replace(/\/$/, "");
    return /[#+]/.test(bag) ? undefined : { kind: "telemetry", bag };
  }
  const get = /^\$iothub\/twin\/GET\/\?\$rid=([^&]*)/.exec(topic);
  if (get) return { kind: "twin-get", requestId: get[1] ?? "" };
  const patch =
    /^\$iothub\/twin\/PATCH\/properties\/reported\/\?\$rid=([^&]*)(?:&\$version=(\d+))?/.exec(
      topic,
    );
  if (patch) {
    const version = patch[2] === undefined ? undefined : Number(patch[2]);
    return { kind: "twin-patch", requestId: patch[1] ?? "", version };
  }
  const answer = /^\$iothub\/methods\/res\/(-?\d+)\/\?\$rid=([^&]*)/.exec(topic);
  if (answer)
    return { kind: "method-answer", status: Number(answer[1]), requestId: answer[2] ?? "" };
  return undefined;
}

/** @returns undefined for a filter that this identity may not use */
export function parseSubscription(filter: string, identity: Identity): Subscription | undefined {
  const isModule = identity.moduleId !== undefined;
  if (filter === `${scopeOf(identity)}${isModule ? "" : "/messages/devicebound"}/#`) {
    return isModule ? "inputs" : "messages";
  }
  if (filter === "$iothub/twin/res/#") return "twin-answers";
  if (filter === "$iothub/twin/PATCH/properties/desired/#") return "desired";
  return filter.startsWith("$iothub/methods/POST/") ? "methods" : undefined;
}
