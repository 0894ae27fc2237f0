import rhea, { type Message } from "rhea";
import { PARTITIONS, partitionOf, type StoredMessage } from "../events.ts";
import type { Hub } from "../hub.ts";
import { shortName } from "../names.ts";

/** The Event Hub-compatible endpoint's answers about itself and its partitions. */
export function answerManagement(hub: Hub, request: Message): Partial<Message> {
  const { operation, type, name, partition } = request.application_properties ?? {};
  const partitionId = Number(partition);
  if (String(name).toLowerCase() !== shortName(hub.hostName).toLowerCase()) {
    return answer(404, `The messaging entity ${name} could not be found.`);
  }
  if (operation !== "READ") return answer(501, `There is no operation ${operation}.`);
  if (type === "com.microsoft:eventhub") return answer(200, "OK", hubBody(hub, String(name)));
  if (type !== "com.microsoft:partition") return answer(400, `The type ${type} is not known.`);
  if (!(partitionId >= 0 && partitionId < PARTITIONS)) {
    return answer(400, `There is no partition ${partition}.`, undefined, OUT_OF_RANGE);
  }
  return answer(200, "OK", partitionBody(hub, String(name), partitionId));
}

const OUT_OF_RANGE = "com.microsoft:argument-out-of-range";

function answer(
  code: number,
  description: string,
  body?: unknown,
  condition = code === 404 ? "amqp:not-found" : undefined,
): Partial<Message> {
  const application_properties = {
    "status-code": code,
    "status-description": description,
    ...(condition === undefined ? {} : { "error-condition": condition }),
  };
  return body === undefined ? { application_properties } : { application_properties, body };
}

function hubBody({ clock }: Hub, name: string) {
  return {
    name,
    type: "com.microsoft:eventhub",
    created_at: rhea.types.wrap_timestamp(clock.now()),
    partition_count: PARTITIONS,
    partition_ids: Array.from({ length: PARTITIONS }, (_, index) => String(index)),
  };
}

function partitionBody({ events }: Hub, name: string, partition: number) {
  let first: StoredMessage | undefined;
  let last: StoredMessage | undefined;
  for (const message of events.read()) {
    if (partitionOf(message.deviceId) !== partition) continue;
    first ??= message;
    last = message;
  }
  return {
    name,
    type: "com.microsoft:partition",
    partition: String(partition),
    begin_sequence_number: rhea.types.wrap_long(first?.sequenceNumber ?? 0),
    last_enqueued_sequence_number: rhea.types.wrap_long(last?.sequenceNumber ?? -1),
    last_enqueued_offset: String(last?.sequenceNumber ?? -1),
    last_enqueued_time_utc: rhea.types.wrap_timestamp(
      Date.parse(last?.enqueuedTime ?? "1970-01-01"),
    ),
    is_partition_empty: last === undefined,
  };
}
