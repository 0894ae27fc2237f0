import { X509Certificate } from "node:crypto";
import { createServer, type TLSSocket } from "node:tls";
import mqtt from "mqtt-packet";
import { createServerRoot, issueServerCertificate } from "../../host-sim/pki/index.ts";

export const ENDPOINT = "global.azure-devices-provisioning.net";
const root = createServerRoot();
const server = issueServerCertificate(root, { dns: [ENDPOINT] });

/** The root that devices trust. */
export const DPS_ROOT = root.certificate;

export interface Step {
  readonly status: number;
  readonly query?: string;
  readonly body: object;
}

interface Seen {
  readonly connect: { clientId: string; username: string; subject: string };
  readonly requests: { topic: string; body: string }[];
}

/** A provisioning service that answers each request with the next step; `refuse` is a CONNACK code. */
export async function startService(steps: readonly Step[], ca: string, refuse = 0) {
  const seen: Seen = { connect: { clientId: "", username: "", subject: "" }, requests: [] };
  const left = [...steps];
  const sockets = new Set<TLSSocket>();
  const listener = createServer(
    // As in the hub: the chain is checked below, on no clock, and a refusal reaches the CONNACK.
    { ...server, requestCert: true, rejectUnauthorized: false },
    (socket) => {
      sockets.add(socket);
      const parser = mqtt.parser({ protocolVersion: 4 });
      const send = (packet: mqtt.Packet) => socket.write(mqtt.generate(packet));
      parser.on("packet", (packet: mqtt.Packet) => {
        if (packet.cmd === "connect") {
          const shown = new X509Certificate(socket.getPeerCertificate().raw);
          const { subject } = shown;
          const known = shown.verify(new X509Certificate(ca).publicKey);
          const username = packet.username ?? "";
          Object.assign(seen.connect, { clientId: packet.clientId, username, subject });
          send({ cmd: "connack", returnCode: known ? refuse : 5, sessionPresent: false });
        } else if (packet.cmd === "subscribe") {
          send({ cmd: "suback", messageId: packet.messageId ?? 0, granted: [1] });
        } else if (packet.cmd === "publish") {
          seen.requests.push({ topic: packet.topic, body: packet.payload.toString() });
          const step = left.shift();
          if (!step) return;
          const topic = `$dps/registrations/res/${step.status}/?$rid=1${step.query ?? ""}`;
          const payload = JSON.stringify(step.body);
          send({ cmd: "publish", topic, payload, qos: 0, dup: false, retain: false });
        }
      });
      socket.on("data", (bytes) => parser.parse(bytes));
      socket.on("error", () => {});
    },
  );
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as { port: number };
  return {
    ...{ seen, port },
    async stop(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
