/** The topics of IoT Hub as a device uses them. */
export const topicsOf = (deviceId: string) => ({
  telemetry: (properties: string) => `devices/${deviceId}/messages/events/${properties}`,
  messages: `devices/${deviceId}/messages/devicebound/`,
  methods: "$iothub/methods/POST/",
  methodAnswer: (status: number, requestId: string) =>
    `$iothub/methods/res/${status}/?$rid=${requestId}`,
  twinAnswers: "$iothub/twin/res/",
  twinGet: (requestId: number) => `$iothub/twin/GET/?$rid=${requestId}`,
  twinPatch: (requestId: number) => `$iothub/twin/PATCH/properties/reported/?$rid=${requestId}`,
  desired: "$iothub/twin/PATCH/properties/desired/",
});

export type Incoming =
  | { readonly kind: "message"; readonly properties: string }
  | { readonly kind: "method"; readonly name: string; readonly requestId: string }
  | { readonly kind: "twin-answer"; readonly status: number; readonly requestId: number }
  | { readonly kind: "desired" };

/** What the hub published to a device, or undefined for a topic that is not known. */
export function parseIncoming(topic: string, deviceId: string): Incoming | undefined {
  const names = topicsOf(deviceId);
  if (topic.startsWith(names.messages)) {
    return { kind: "message", properties: topic.slice(names.messages.length) };
  }
  if (topic.startsWith(names.desired)) return { kind: "desired" };
  const method = /^\$iothub\/methods\/POST\/([^/]+)\/\?\$rid=(.+)$/.exec(topic);
  if (method) {
    return { kind: "method", name: method[1] as string, requestId: method[2] as string };
  }
  const answer = /^\$iothub\/twin\/res\/(\d+)\/\?\$rid=(\d+)/.exec(topic);
  if (!answer) return undefined;
  return { kind: "twin-answer", status: Number(answer[1]), requestId: Number(answer[2]) };
}
