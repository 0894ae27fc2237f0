import type { KeyObject } from "node:crypto";
import type { Clock, TimerHandle } from "../clock/index.ts";
import { messageWithHint } from "../errors.ts";
import type { Logger } from "../log.ts";
import { generateKeyPair, parseCertificate, privateKeyPem, splitPem } from "../pki/index.ts";
import type { Network } from "./network.ts";

/** Key and certificate chain that the device shows to a hub, in PEM. */
export interface DeviceCredentials {
  readonly key: string;
  readonly certificate: string;
  /** Milliseconds since the Unix epoch. */
  readonly notAfter: number;
  readonly tenantId: string;
}

/** How a device asks the Security Service for its certificate. */
export type Attest = (publicKey: KeyObject) => Promise<{
  readonly certificate: string;
  readonly notAfter: number;
  readonly tenantId: string;
}>;

export interface DeviceAuth {
  /** The credentials when they are there and still valid. */
  current(): DeviceCredentials | undefined;
  onReady(listener: () => void): () => void;
  start(): void;
  stop(): void;
  /** Resolves when the first attempt has ended, well or not. */
  settled?(): Promise<void>;
}

const RETRY_MS = 10_000;
/** A certificate is renewed when this share of its life has passed. */
const RENEW_AT = 2 / 3;

/**
 * Keeps the device authentication (DAA) certificate fresh. The key is made anew with each
 * certificate and never leaves the operating system.
 */
export function createDeviceAuth(options: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly network: Network;
  readonly attest: Attest;
}): DeviceAuth {
  const { clock, logger, network, attest } = options;
  const listeners = new Set<() => void>();
  let credentials: (DeviceCredentials & { readonly notBefore: number }) | undefined;
  let timer: TimerHandle | undefined;
  let running = false;
  let lastProblem = "";
  let stopWatching = () => {};
  let settle = () => {};
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });

  const schedule = (delayMs: number) => {
    clock.clearTimer(timer);
    if (running) timer = clock.setTimer(delayMs, renew);
  };

  function renew(): void {
    if (!network.up) {
      settle();
      schedule(RETRY_MS);
      return;
    }
    const key = generateKeyPair("P-256");
    attest(key.publicKey).then(
      (granted) => {
        if (!running) return;
        lastProblem = "";
        const notBefore = startOf(granted.certificate);
        credentials = { key: privateKeyPem(key.privateKey), notBefore, ...granted };
        logger.info(
          `device authentication ready until ${new Date(granted.notAfter).toISOString()}`,
        );
        schedule((granted.notAfter - clock.now()) * RENEW_AT);
        for (const listener of listeners) listener();
        settle();
      },
      (error) => {
        if (running) explain(error);
        schedule(RETRY_MS);
        settle();
      },
    );
  }

  /** The same trouble every ten seconds is told once. */
  function explain(error: unknown): void {
    const problem = `no device authentication: ${messageWithHint(error)}`;
    if (problem !== lastProblem) logger.warn(problem);
    lastProblem = problem;
  }

  /** After the clock was set, a certificate may be over long before its renewal is due, or to come. */
  function valid(): DeviceCredentials | undefined {
    const now = clock.now();
    if (credentials && (credentials.notAfter <= now || credentials.notBefore > now)) {
      credentials = undefined;
      schedule(0);
    }
    return credentials;
  }

  return {
    current: valid,
    onReady(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    start() {
      if (running) return;
      running = true;
      stopWatching = network.onChange((up) => {
        if (up) schedule(0);
      });
      renew();
    },
    settled: () => settled,
    stop() {
      settle();
      running = false;
      stopWatching();
      clock.clearTimer(timer);
    },
  };
}

const startOf = (chain: string): number =>
  Date.parse(parseCertificate(splitPem(chain)[0] ?? "").validFrom);
