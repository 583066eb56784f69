import { users, type TestRedis } from './redis.js';
import { until } from './until.js';

/** Makes the one server of `replica` a copy of that of `primary`, and waits until it is. */
export async function makeReplica(primary: TestRedis, replica: TestRedis): Promise<void> {
  const { server, admin } = primary;
  const copy = replica.admin;
  await copy.config('SET', 'masteruser', users.admin.name);
  await copy.config('SET', 'masterauth', users.admin.password);
  await copy.replicaof('127.0.0.1', server.port);
  await until(async () => /state=online/.test(await admin.info('replication')));
}
