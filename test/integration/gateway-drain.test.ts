import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as ask, Agent, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { answersOk } from '@sallyport/demo/readiness';
import { exchange } from '@sallyport/demo/web-client/exchange';
import { BrowserJar, setCookies } from '../support/browser-jar.js';
import { startGatewayStack, type GatewayStack } from '../support/gateway.js';
import { answerJson, ordinaryGrants } from '../support/permission-service.js';
import { describeOnRedis } from '../support/redis.js';
import { startReplica, type Replica } from '../support/replicas.js';
import { until } from '../support/until.js';

describeOnRedis(
  '6.2',
  'a gateway that is told to stop',
  (redis) => {
    let stack: GatewayStack;
    let replica: Replica;
    const env = { GATEWAY_DRAIN_WAIT_MS: '1500' };
    const stopping = new AbortController();
    beforeAll(async () => {
      stack = await startGatewayStack(redis(), env);
      replica = await startReplica(redis(), stack, env);
      // Long enough that some login is always at its last step.
      stack.permissions.answer = (request, response) => {
        setTimeout(() => answerJson(200, ordinaryGrants)(request, response), 100);
      };
    });
    afterAll(async () => {
      stopping.abort();
      await Promise.all([replica.close(), stack.close()]);
    });

    /** What a load balancer does: asks all for their readiness, and sends nobody to one that is not. */
    function balancer() {
      const nodes = [stack, replica].map((node) => ({ node, ready: true }));
      const watch = nodes.map(async (entry) => {
        while (!stopping.signal.aborted) {
          entry.ready = await answersOk(`${entry.node.managementOrigin}/readyz`);
          await new Promise((resolve) => setTimeout(resolve, 25));
        }
      });
      let turn = 0;
      return {
        stopped: () => Promise.all(watch),
        pick: (): string => {
          const ready = nodes.filter((entry) => entry.ready);
          turn += 1;
          return (ready[turn % ready.length] ?? nodes[0])?.node.origin ?? '';
        },
      };
    }

    it('loses no login while both replicas are restarted, one after the other', async () => {
      const { pick, stopped } = balancer();
      let [begun, done] = [0, 0];
      const failures: string[] = [];
      const logIn = async (): Promise<void> => {
        begun += 1;
        const browser = new BrowserJar();
        try {
          // Start and callback go where the balancer sends them, seldom to the same replica.
          const start = await browser.visit(`${pick()}/oauth2/authorization/idp`);
          const callback = await browser.redirectsUntil(
            String(start.headers.location),
            `${stack.origin}/login/`,
          );
          const end = await browser.visit(callback.replace(stack.origin, pick()), {
            site: 'cross-site',
          });
          if (setCookies(end).length === 3) done += 1;
          else failures.push(`status ${end.status}`);
        } catch (error) {
          failures.push((error as Error).message);
        }
      };
      const load = Array.from({ length: 4 }, async () => {
        while (!stopping.signal.aborted) await logIn();
      });
      const progress = async (): Promise<void> => {
        const before = done;
        await until(() => done >= before + 12);
      };
      await progress();
      for (const child of [stack.gateway, replica.process]) {
        await Promise.all([child.restart(), progress()]);
        await progress();
      }
      stopping.abort();
      await Promise.all([...load, stopped()]);

      expect(failures).toEqual([]);
      expect(done).toBe(begun);
      const log = stack.log();
      expect(log.split('"msg":"stopped"')).toHaveLength(2);
      expect(log).not.toContain('drain deadline passed');
      console.log(`${done} logins over two restarts, ${failures.length} failed`);
    });

    it('is not ready at once and still answers; its connections are given up one by one', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const get = () =>
        new Promise<IncomingHttpHeaders>((resolve, reject) => {
          const question = ask(`${replica.origin}/auth/session`, { agent, family: 4 }, (answer) => {
            answer.resume().once('end', () => resolve(answer.headers));
          });
          question.once('error', reject).end();
        });
      expect((await get()).connection).toBe('keep-alive');
      const stop = replica.process.stop();
      await until(async () => !(await answersOk(`${replica.managementOrigin}/readyz`)));
      expect(await answersOk(`${replica.managementOrigin}/livez`)).toBe(true);
      expect((await get()).connection).toBe('close');
      await stop;
      agent.destroy();
    });

    it('does not wait for a request that never ends', async () => {
      const deadline = { GATEWAY_DRAIN_WAIT_MS: '0', GATEWAY_DRAIN_DEADLINE_MS: '3000' };
      const late = await startReplica(redis(), stack, deadline);
      // Half a request: Node, which gives it 10 s for the rest, looks no more once the server closes.
      const socket = connect({ port: Number(new URL(late.origin).port), host: '127.0.0.1' });
      socket.on('error', () => undefined);
      socket.write('GET /user HTTP/1.1\r\nhost: a');
      await once(socket, 'connect');
      // Connections are accepted in their order: with this one that one has been, too.
      await exchange(`${late.origin}/auth/session`);
      process.kill(late.process.pid ?? 0, 'SIGTERM');
      await until(() => late.process.pid === undefined);
      const log = readFileSync(late.process.logFile, 'utf8');
      expect(log).toContain('"msg":"stopped"');
      expect(log).not.toContain('drain deadline passed');
      socket.destroy();
      await late.close();
    });
  },
  { appendOnly: true },
);
