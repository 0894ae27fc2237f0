import type { Connection, Container, EventContext, Message, Receiver, Sender } from "rhea";
import type { Hub } from "../hub.ts";
import { problemWithPolicyToken } from "../service/group.ts";
import { onDeviceboundMessage } from "./devicebound.ts";
import { readEvents } from "./event-reader.ts";
import { sendFeedback } from "./feedback-sender.ts";
import { answerManagement } from "./management.ts";

/** What the links of one connection share. */
interface Peer {
  authorized: boolean;
  /** Links that answers go out on, by what the client calls them. */
  readonly answers: Map<string, Sender>;
  readonly ends: Set<() => void>;
}

/** Answers the links that clients attach, and the messages that come on them. */
export function serveLinks(hub: Hub, container: Container): void {
  const peers = new WeakMap<Connection, Peer>();
  const peerOf = (connection: Connection): Peer => {
    const known = peers.get(connection);
    if (known) return known;
    const peer: Peer = { authorized: false, answers: new Map(), ends: new Set() };
    peers.set(connection, peer);
    return peer;
  };

  container.on("sender_open", ({ connection, sender }: EventContext) => {
    if (sender) openSender(hub, peerOf(connection), sender);
  });
  container.on("receiver_open", ({ connection, receiver }: EventContext) => {
    if (receiver) openReceiver(peerOf(connection), receiver);
  });
  container.on("message", (context: EventContext) => {
    onMessage(hub, peerOf(context.connection), context);
  });
  const end = ({ connection }: EventContext) => {
    const peer = peerOf(connection);
    for (const each of peer.ends) each();
    peer.ends.clear();
  };
  container.on("disconnected", end);
  container.on("connection_close", end);
  // Without a listener rhea throws: what a client does wrong must not end the hub.
  for (const name of ["connection_error", "session_error", "protocol_error", "error"]) {
    container.on(name, () => {});
  }
  for (const name of ["sender_error", "receiver_error"]) container.on(name, () => {});
}

function openSender(hub: Hub, peer: Peer, sender: Sender): void {
  const { source, target } = attachOf(sender);
  const address = source?.address ?? "";
  sender.set_source({ ...source, address });
  if (target) sender.set_target({ ...target, address: target.address ?? "" });
  if (address === "$cbs" || address.endsWith("$management")) {
    peer.answers.set(answerName(address, target?.address), sender);
    return;
  }
  if (!peer.authorized) return refuseLink(sender, address);
  const onEnd = (end: () => void) => {
    peer.ends.add(end);
    sender.on("sender_close", end);
  };
  if (/^\/?messages\/serviceBound\/feedback$/i.test(address)) {
    return onEnd(sendFeedback(hub, sender));
  }
  if (/^\/?messages\/serviceBound\/filenotifications$/i.test(address)) return;
  const partition = /ConsumerGroups\/[^/]+\/Partitions\/(\d+)$/i.exec(address)?.[1];
  if (partition !== undefined) {
    return onEnd(readEvents(hub, sender, Number(partition), filterOf(source)));
  }
  sender.close({ condition: "amqp:not-found", description: `There is no source ${address}.` });
}

function openReceiver(peer: Peer, receiver: Receiver): void {
  const { target, source } = attachOf(receiver);
  const address = target?.address ?? "";
  receiver.set_target({ ...target, address });
  if (source) receiver.set_source({ ...source, address: source.address ?? "" });
  if (address === "$cbs") return;
  if (!peer.authorized) return refuseLink(receiver, address);
  if (/^\/?messages\/devicebound$/i.test(address) || address.endsWith("$management")) return;
  receiver.close({ condition: "amqp:not-found", description: `There is no target ${address}.` });
}

function refuseLink(link: Sender | Receiver, address: string): void {
  const description = `No valid token was put for ${address}.`;
  link.close({ condition: "amqp:unauthorized-access", description });
}

function onMessage(hub: Hub, peer: Peer, context: EventContext): void {
  const { message, receiver, delivery } = context;
  if (!message || !receiver || !delivery) return;
  const address = attachOf(receiver).target?.address ?? "";
  if (address === "$cbs") {
    delivery.accept();
    answer(peer, address, message, putToken(hub, peer, message));
  } else if (address.endsWith("$management")) {
    delivery.accept();
    answer(peer, address, message, answerManagement(hub, message));
  } else onDeviceboundMessage(hub, message, delivery);
}

/** Claims-based security: a token put on `$cbs` opens the connection's other links. */
function putToken(hub: Hub, peer: Peer, { body }: Message): Partial<Message> {
  const token = String(body);
  const problems = [false, true].map((keyText) =>
    problemWithPolicyToken(hub, token, ["ServiceConnect"], keyText),
  );
  const problem = problems.includes(undefined) ? undefined : problems[0];
  if (problem === undefined) {
    peer.authorized = true;
    return statusOf(200, "OK");
  }
  hub.refusals.add({ deviceId: "", address: "amqp", reason: "bad-token", detail: problem });
  return statusOf(401, problem);
}

function statusOf(code: number, description: string): Partial<Message> {
  return { application_properties: { "status-code": code, "status-description": description } };
}

function answer(peer: Peer, address: string, to: Message, message: Partial<Message>): void {
  const sender =
    peer.answers.get(answerName(address, to.reply_to)) ?? peer.answers.get(answerName(address, ""));
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

/** What the client attached the link with. */
function attachOf(link: Sender | Receiver): { source?: Terminus; target?: Terminus } {
  const { remote } = link as unknown as { remote: { attach?: object } };
  return remote.attach ?? {};
}

function filterOf(source: Terminus | undefined): string {
  const [filter] = Object.values(source?.filter ?? {});
  const value = (filter as { value?: unknown } | undefined)?.value ?? filter ?? "";
  return String(value);
}
