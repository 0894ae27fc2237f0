import rhea, { type Delivery, type EventContext, type Message, type Sender } from "rhea";
import type { FeedbackBatch } from "../feedback.ts";
import type { Hub } from "../hub.ts";

const CONTENT_TYPE = "application/vnd.microsoft.iothub.feedback.json";

/** Sends feedback batches on a link; the answer ends it, and gives back what was not accepted. */
export function sendFeedback(hub: Hub, sender: Sender): () => void {
  const underWay = new Map<Delivery, FeedbackBatch>();
  const pump = () => {
    while (sender.is_open() && sender.sendable()) {
      const batch = hub.feedback.take();
      if (!batch) return;
      underWay.set(sender.send(messageFrom(hub, batch)), batch);
    }
  };
  const settle = (how: (batch: FeedbackBatch) => void) => (context: EventContext) => {
    const batch = context.delivery && underWay.get(context.delivery);
    if (!batch || !context.delivery) return;
    underWay.delete(context.delivery);
    how(batch);
    pump();
  };
  sender.on(
    "accepted",
    settle((batch) => batch.accept()),
  );
  for (const name of ["released", "rejected", "modified"]) {
    sender.on(
      name,
      settle((batch) => batch.giveBack()),
    );
  }
  sender.on("sendable", pump);
  const unsubscribe = hub.feedback.subscribe(pump);
  return () => {
    unsubscribe();
    for (const batch of underWay.values()) batch.giveBack();
    underWay.clear();
  };
}

function messageFrom(hub: Hub, { records }: FeedbackBatch): Message {
  const body = rhea.message.data_section(Buffer.from(JSON.stringify(records)));
  return {
    body,
    content_type: CONTENT_TYPE,
    content_encoding: "utf-8",
    user_id: Buffer.from(hub.hostName) as unknown as string,
    message_annotations: {
      "iothub-enqueuedtime": rhea.types.wrap_timestamp(hub.clock.now()),
    },
  };
}
