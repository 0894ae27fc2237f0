/** What a device's publish means, read from its topic. */
export type Publication =
  | { readonly kind: "telemetry"; readonly bag: string }
  | { readonly kind: "twin-get"; readonly requestId: string }
  | {
      readonly kind: "twin-patch";
      readonly requestId: string;
      /** NaN when the device wrote no number. */
      readonly version?: number;
    }
  | { readonly kind: "method-answer"; readonly requestId: string; readonly status: number };

/** What a device may subscribe to; `methods/NAME` is one direct method, `methods` all of them. */
export type Subscription =
  | "messages"
  | "inputs"
  | "twin-answers"
  | "desired"
  | "methods"
  | `methods/${string}`;

interface Identity {
  readonly deviceId: string;
  readonly moduleId?: string;
}

/** Where an identity's own topics begin. */
function scopeOf({ deviceId, moduleId }: Identity): string {
  return moduleId === undefined ? `devices/${deviceId}` : `devices/${deviceId}/modules/${moduleId}`;
}

const TWIN_GET = "$iothub/twin/GET/?";
const TWIN_PATCH = "$iothub/twin/PATCH/properties/reported/?";
const METHOD_ANSWER = /^\$iothub\/methods\/res\/(-?\d+)\/\?/;

/** @returns undefined for a topic that this identity may not use */
export function parsePublication(topic: string, identity: Identity): Publication | undefined {
  const telemetry = `${scopeOf(identity)}/messages/events`;
  if (topic === telemetry || topic.startsWith(`${telemetry}/`)) {
    const bag = topic.slice(telemetry.length + 1).replace(/\/$/, "");
    return /[#+]/.test(bag) ? undefined : { kind: "telemetry", bag };
  }
  const query = queryOf(topic);
  const requestId = query.get("$rid");
  if (requestId === undefined) return undefined;
  if (topic.startsWith(TWIN_GET)) return { kind: "twin-get", requestId };
  if (topic.startsWith(TWIN_PATCH)) {
    const version = query.get("$version");
    return { kind: "twin-patch", requestId, version: numberFrom(version) };
  }
  const answer = METHOD_ANSWER.exec(topic);
  return answer ? { kind: "method-answer", status: Number(answer[1]), requestId } : undefined;
}

/** Names and values behind the question mark, as they are: a request id goes back unchanged. */
function queryOf(topic: string): ReadonlyMap<string, string> {
  const at = topic.indexOf("?");
  const pairs = at < 0 ? [] : topic.slice(at + 1).split("&");
  return new Map(
    pairs.map((pair) => {
      const middle = pair.indexOf("=");
      return middle < 0 ? [pair, ""] : [pair.slice(0, middle), pair.slice(middle + 1)];
    }),
  );
}

function numberFrom(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** @returns undefined for a filter that this identity may not use */
export function parseSubscription(filter: string, identity: Identity): Subscription | undefined {
  const scope = scopeOf(identity);
  if (identity.moduleId === undefined) {
    if (filter === `${scope}/messages/devicebound/#`) return "messages";
  } else if (filter === `${scope}/#` || filter === `${scope}/inputs/#`) return "inputs";
  if (filter === "$iothub/twin/res/#") return "twin-answers";
  if (filter === "$iothub/twin/PATCH/properties/desired/#") return "desired";
  if (filter === "$iothub/methods/POST/#") return "methods";
  const method = /^\$iothub\/methods\/POST\/([^/#+]+)\/#$/.exec(filter);
  return method ? `methods/${method[1]}` : undefined;
}
