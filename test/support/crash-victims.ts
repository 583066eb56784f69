import type { IncomingMessage, ServerResponse } from 'node:http';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '@sallyport/demo/child-process';
import { freePort } from '@sallyport/demo/free-port';
import { answersOk } from '@sallyport/demo/readiness';
import { startCrashSwitch, type CrashSwitch } from './crash-switch.js';
import { gatewayBinary, gatewayEnv, type GatewayStack } from './gateway.js';
import { answerJson, ordinaryGrants, type TestPermissionService } from './permission-service.js';
import { users, type TestRedis } from './redis.js';

/** A gateway that is there to be killed. */
export interface Victim {
  readonly origin: string;
  readonly managementOrigin: string;
  readonly pid: number;
  readonly crash: CrashSwitch;
  close(): Promise<void>;
}

/** Starts the next victim while the death of the last one is looked at. */
export class Victims {
  readonly #redis: TestRedis;
  readonly #stack: GatewayStack;
  readonly #env: Readonly<Record<string, string>>;
  readonly #permissions: TestPermissionService['answer'];
  #next: Promise<Victim> | undefined;
  #current: CrashSwitch | undefined;

  /** @param permissions what the permission service answers */
  constructor(
    redis: TestRedis,
    stack: GatewayStack,
    env: Readonly<Record<string, string>>,
    permissions: TestPermissionService['answer'] = answerJson(200, ordinaryGrants),
  ) {
    this.#permissions = permissions;
    this.#redis = redis;
    this.#stack = stack;
    this.#env = env;
    stack.idp.intercept = (request, response) => this.#watchProvider(request, response);
    stack.permissions.answer = (request, response) => this.#watchPermissions(request, response);
  }

  /** A fresh one. The calls that the provider and the permission service see from now on are its. */
  async next(): Promise<Victim> {
    const victim = await (this.#next ?? this.#start());
    this.#next = undefined;
    this.#current = victim.crash;
    return {
      ...victim,
      close: async () => {
        await victim.close();
        // Not before: the calls of one that starts would be taken for those of the other.
        this.#next = this.#start();
        // Whoever takes it hears of a failure.
        this.#next.catch(() => undefined);
      },
    };
  }

  async close(): Promise<void> {
    await (await this.#next?.catch(() => undefined))?.close();
  }

  #watchProvider(request: IncomingMessage, response: ServerResponse): boolean {
    const path = request.url?.split('?', 1)[0] ?? '';
    // Where a browser goes.
    if (/^\/(?:auth|interaction|session)\b/.test(path)) return false;
    return this.#watch(`idp ${path}`, response, () => this.#stack.idp.handle(request, response));
  }

  #watchPermissions(request: IncomingMessage, response: ServerResponse): void {
    const answer = () => this.#permissions(request, response);
    if (!this.#watch('permission-service', response, answer)) answer();
  }

  /** @returns whether the call was dealt with */
  #watch(label: string, response: ServerResponse, answer: () => void): boolean {
    const crash = this.#current;
    switch (crash?.call(label)) {
      case 'kill-before':
        crash.kill();
        response.destroy();
        return true;
      case 'kill-after':
        // It happens there, and its caller never hears of it.
        crash.freeze();
        response.once('finish', () => crash.kill());
        answer();
        return true;
      case 'pass':
      case undefined:
        return false;
    }
  }

  async #start(): Promise<Victim> {
    const { server } = this.#redis;
    const directory = await mkdtemp(join(tmpdir(), 'sallyport-victim-'));
    const crash = await startCrashSwitch(server.port);
    const [port, managementPort] = [await freePort(), await freePort()];
    const origin = `http://localhost:${String(port)}`;
    const logFile = join(directory, 'gateway.log');
    const url = new URL(server.url(users.writer));
    url.port = String(crash.port);
    const child = await startChild({
      name: 'session-gateway',
      command: process.execPath,
      args: [gatewayBinary],
      env: {
        GATEWAY_PORT: String(port),
        GATEWAY_MANAGEMENT_PORT: String(managementPort),
        ...gatewayEnv(this.#stack.origin, this.#stack.idp.issuer, this.#stack.permissions.url),
        REDIS_URL: url.href,
        ...this.#env,
      },
      logFile,
      waitsFor: 'actuator/health and the metadata of the provider',
      isReady: async () =>
        (await answersOk(`${origin}/actuator/health`)) &&
        readFileSync(logFile, 'utf8').includes('identity provider: ready'),
    }).catch(async (error: unknown) => {
      // Or its listener would keep the test's process from ending.
      await crash.close();
      throw error;
    });
    return {
      origin,
      managementOrigin: `http://127.0.0.1:${String(managementPort)}`,
      pid: child.pid ?? 0,
      crash,
      close: async () => {
        crash.disarm();
        await child.kill();
        await crash.close();
        await rm(directory, { recursive: true, force: true });
      },
    };
  }
}
