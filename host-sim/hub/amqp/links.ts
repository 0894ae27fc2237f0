import type { Connection, Container, EventContext, Message, Receiver, Sender } from "rhea";
import type { Hub } from "../hub.ts";
import { shortName } from "../names.ts";
import { onDeviceboundMessage } from "./devicebound.ts";
import { createEventReaders, type EventReaders } from "./event-reader.ts";
import { sendFeedback } from "./feedback-sender.ts";
import { answerManagement } from "./management.ts";
import { type Answer, type Peer, putToken } from "./tokens.ts";

/** Answers the links that clients attach, and the messages that come on them. */
export function serveLinks(hub: Hub, container: Container) {
  const peers = new WeakMap<Connection, Links>();
  const readers = createEventReaders(hub);
  const linksOf = (connection: Connection): Links => peers.get(connection) as Links;

  container.on("sender_open", ({ connection, sender }: EventContext) => {
    if (sender) openSender(hub, readers, linksOf(connection), sender);
  });
  container.on("receiver_open", ({ connection, receiver }: EventContext) => {
    if (receiver) openReceiver(hub, linksOf(connection), receiver);
  });
  container.on("message", (context: EventContext) => {
    onMessage(hub, linksOf(context.connection), context);
  });
  const end = ({ connection }: EventContext) => {
    const links = linksOf(connection);
    hub.clock.clearTimer(links.peer.tokenEnd);
    for (const each of links.ends) each();
    links.ends.clear();
  };
  container.on("disconnected", end);
  container.on("connection_close", end);
  // Without a listener rhea throws: what a client does wrong must not end the hub.
  for (const name of ["connection_error", "session_error", "protocol_error", "error"]) {
    container.on(name, () => {});
  }
  for (const name of ["sender_error", "receiver_error"]) container.on(name, () => {});

  return {
    /** A new connection from `address`, before its first byte. */
    admit(connection: Connection, address: string): Peer {
      const peer: Peer = { connection, address, authorized: false, tokenEnd: undefined };
      peers.set(connection, { peer, answers: new Map(), ends: new Set() });
      return peer;
    },
  };
}

/** What the links of one connection share. */
interface Links {
  readonly peer: Peer;
  /** Links that answers go out on, by what the client calls them. */
  readonly answers: Map<string, Sender>;
  readonly ends: Set<() => void>;
}

const PARTITION = /^(.*)\/ConsumerGroups\/([^/]+)\/Partitions\/(\d+)$/i;

function openSender(hub: Hub, readers: EventReaders, links: Links, sender: Sender): void {
  const { source, target, properties } = attachOf(sender);
  const address = source?.address ?? "";
  sender.set_source({ ...source, address });
  if (target) sender.set_target({ ...target, address: target.address ?? "" });
  if (address === "$cbs" || address.endsWith("$management")) {
    links.answers.set(answerName(address, target?.address), sender);
    return;
  }
  if (!links.peer.authorized) return refuseLink(hub, links.peer, sender, address);
  const onEnd = (end: () => void) => {
    links.ends.add(end);
    sender.on("sender_close", end);
  };
  if (/^\/?messages\/serviceBound\/feedback$/i.test(address)) {
    return onEnd(sendFeedback(hub, sender));
  }
  // Nobody uploads files here: the link is there, and nothing comes on it.
  if (/^\/?messages\/serviceBound\/filenotifications$/i.test(address)) return;
  const [, entity = "", group = "", partition] = PARTITION.exec(address) ?? [];
  const isOurs = entity.toLowerCase() === shortName(hub.hostName).toLowerCase();
  if (partition === undefined || !isOurs || hub.consumerGroups.find(group) === undefined) {
    const description = `The messaging entity ${address} could not be found.`;
    sender.close({ condition: "amqp:not-found", description });
    return;
  }
  const epoch = properties?.["com.microsoft:epoch"];
  onEnd(
    readers.open(sender, {
      group: group.toLowerCase(),
      partition: Number(partition),
      filter: filterOf(source),
      epoch: epoch === undefined || epoch === null ? undefined : Number(epoch),
    }),
  );
}

function openReceiver(hub: Hub, { peer }: Links, receiver: Receiver): void {
  const { target, source } = attachOf(receiver);
  const address = target?.address ?? "";
  receiver.set_target({ ...target, address });
  if (source) receiver.set_source({ ...source, address: source.address ?? "" });
  if (address === "$cbs") return;
  if (!peer.authorized) return refuseLink(hub, peer, receiver, address);
  if (/^\/?messages\/devicebound$/i.test(address) || address.endsWith("$management")) return;
  receiver.close({ condition: "amqp:not-found", description: `There is no target ${address}.` });
}

function refuseLink(hub: Hub, peer: Peer, link: Sender | Receiver, address: string): void {
  const description = `No valid token was put for ${address}.`;
  hub.refusals.add({
    ...{ deviceId: "", address: peer.address, reason: "bad-token", detail: description },
  });
  link.close({ condition: "amqp:unauthorized-access", description });
}

function onMessage(hub: Hub, links: Links, context: EventContext): void {
  const { message, receiver, delivery } = context;
  if (!message || !receiver || !delivery) return;
  const address = attachOf(receiver).target?.address ?? "";
  if (address === "$cbs") {
    delivery.accept();
    answer(links, address, message, putToken(hub, links.peer, message));
  } else if (!links.peer.authorized) {
    delivery.reject({ condition: "amqp:unauthorized-access", description: "No token was put." });
  } else if (address.endsWith("$management")) {
    delivery.accept();
    answer(links, address, message, answerManagement(hub, message));
  } else onDeviceboundMessage(hub, message, delivery);
}

function answer(links: Links, address: string, to: Message, message: Answer): void {
  const sender =
    links.answers.get(answerName(address, to.reply_to)) ??
    links.answers.get(answerName(address, ""));
  sender?.send({ body: "", correlation_id: to.message_id, ...message } as Message);
}

/** A client may have several request links; its target tells them apart. */
function answerName(address: string, target: string | undefined): string {
  return address === "$cbs" ? address : `${address} ${target ?? ""}`;
}

interface Terminus {
  readonly address?: string;
  readonly filter?: Readonly<Record<string, unknown>>;
}

interface Attach {
  readonly source?: Terminus;
  readonly target?: Terminus;
  readonly properties?: Readonly<Record<string, unknown>>;
}

/** What the client attached the link with. */
function attachOf(link: Sender | Receiver): Attach {
  const { remote } = link as unknown as { remote: { attach?: Attach } };
  return remote.attach ?? {};
}

function filterOf(source: Terminus | undefined): string {
  const [filter] = Object.values(source?.filter ?? {});
  const value = (filter as { value?: unknown } | undefined)?.value ?? filter ?? "";
  return String(value);
}
