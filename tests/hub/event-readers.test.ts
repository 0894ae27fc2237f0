import { EventEmitter } from "node:events";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createEventReaders } from "../../host-sim/hub/amqp/event-reader.ts";
import { partitionOf } from "../../host-sim/hub/events.ts";
import { openMemoryStore } from "../../host-sim/store/index.ts";
import { startHub } from "./support.ts";

const test = suite("readers of the events endpoint");

/** What rhea's sender is to a reader: it takes as many messages as it has credit for. */
function fakeSender(credit: number) {
  const sent: number[] = [];
  const sender = Object.assign(new EventEmitter(), {
    connection: { socket: { writableNeedDrain: false } },
    sent,
    credit,
    is_open: () => true,
    sendable: () => sender.sent.length < sender.credit,
    send: ({ message_annotations }: { message_annotations: Record<string, string> }) =>
      sent.push(Number(message_annotations["x-opt-offset"])),
  });
  return sender;
}

test("who keeps up is given what is stored; who does not reads the store later", async () => {
  const store = openMemoryStore();
  let reads = 0;
  const lab = await startHub({
    ...store,
    entries: (prefix, from) => {
      if (prefix === "hub/events/") reads += 1;
      return store.entries(prefix, from);
    },
  });
  const { events } = lab.hub;
  const sender = { deviceId: "d", annotations: {} };
  const message = { sender, body: "", properties: {}, systemProperties: {} };
  const options = { group: "$Default", partition: partitionOf("d"), filter: "", epoch: undefined };
  const [quick, slow] = [fakeSender(1_000), fakeSender(3)];
  const readers = createEventReaders(lab.hub);
  for (const each of [quick, slow]) {
    readers.open(each as never, options);
    each.emit("sendable");
  }
  const before = reads;
  for (let batch = 0; batch < 10; batch++) {
    for (let n = 0; n < 20; n++) events.enqueue(message);
    await events.flush();
  }
  const all = Array.from({ length: 200 }, (_, number) => number);
  assert.equal(quick.sent, all);
  assert.equal(slow.sent, [0, 1, 2]);
  assert.is(reads, before);
  slow.credit = 1_000;
  slow.emit("sendable");
  assert.equal(slow.sent, all);
  await lab.stop();
});

test.run();
