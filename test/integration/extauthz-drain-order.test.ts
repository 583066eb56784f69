import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { startFailureRig, type FailureRig } from '../support/failure-rig.js';
import { heldGrpcCheck, heldHttpCheck, http2Client } from '../support/held-check.js';
import { until } from '../support/until.js';

/** Whether nobody takes a connection there any more. */
async function refuses(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

describe('the order in which extauthz stops', () => {
  let rig: FailureRig;
  afterEach(() => rig.close());

  it('is GOAWAY and no new connections, the answers under way, Redis, and its data last', async () => {
    rig = await startFailureRig();
    const { service, proxy } = rig;
    // Not in memory: each of the two has to be read from Redis.
    const [overGrpc, overHttp] = [await rig.write(), await rig.write()];
    await until(() => rig.links().length === 1 && rig.dataConnections().length === 1);
    const [link, data] = [rig.links()[0], rig.dataConnections()[0]];
    const client = await http2Client(service.grpcPort);
    const grpc = heldGrpcCheck(client.session, { cookie: `__Host-session=${overGrpc}` });
    const http = await heldHttpCheck(service.httpPort, [`Cookie: __Host-session=${overHttp}`]);
    // Both are with the server: what comes after them is answered.
    expect(await rig.statuses(await rig.write())).toEqual([200, 200]);

    process.kill(service.child.pid ?? 0, 'SIGTERM');
    await until(() => client.isToldToGo() || client.isOver());
    expect(client.isToldToGo()).toBe(true);
    await until(() => refuses(service.grpcPort));
    expect(proxy.ended()).toEqual([]);
    expect((await grpc.finish()).status).toBe(200);
    await until(() => refuses(service.httpPort));
    expect(proxy.ended()).toEqual([]);
    expect((await http.finish()).status).toBe(200);

    await until(() => service.child.pid === undefined);
    expect(service.log()).toContain('"msg":"stopped"');
    await until(() => proxy.connections().length === 0);
    // By their places: a difference would print all that was ever sent.
    expect(proxy.ended().map((one) => [link, data].indexOf(one))).toEqual([0, 1]);
  });

  it('lets a stream that is open when GOAWAY comes end as it would have, then ends', async () => {
    rig = await startFailureRig();
    const { service } = rig;
    const client = await http2Client(service.grpcPort);
    const open = heldGrpcCheck(client.session, {});
    await new Promise((resolve) => client.session.ping(resolve));
    expect(client.isToldToGo()).toBe(false);
    process.kill(service.child.pid ?? 0, 'SIGTERM');
    await until(() => client.isToldToGo() || client.isOver());
    expect(client.isToldToGo()).toBe(true);
    expect(service.child.pid).toBeDefined();
    expect(await open.finish()).toMatchObject({ status: 401 });
    await until(() => service.child.pid === undefined);
    expect(service.log()).toContain('"msg":"stopped"');
  });
});
