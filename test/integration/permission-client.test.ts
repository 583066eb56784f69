import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PermissionClient } from '../../session-gateway/src/permissions/permission-client.js';
import {
  answerJson,
  answerText,
  ordinaryGrants,
  startPermissionService,
  type TestPermissionService,
} from '../support/permission-service.js';

describe('PermissionClient', () => {
  let service: TestPermissionService;
  let client: PermissionClient;
  beforeEach(async () => {
    service = await startPermissionService();
    client = new PermissionClient({ baseUrl: service.url, timeout: 5000 });
  });
  afterEach(() => service.close());

  it('encodes a subject that would otherwise be another path', async () => {
    await client.grantsOf({ sub: '../../admin?x=#|ü', email: 'a@b.c', name: 'A & B' });

    expect(service.requests).toEqual([
      '/permission-service/internal/v1/users/..%2F..%2Fadmin%3Fx%3D%23%7C%C3%BC/permissions?email=a%40b.c&displayName=A+%26+B',
    ]);
  });

  it('sends both parameters, empty where the provider said nothing', async () => {
    await client.grantsOf({ sub: 'x' });

    expect(service.requests[0]).toMatch(/\?email=&displayName=$/);
  });

  it('takes empty lists and leaves unknown fields aside', async () => {
    service.answer = answerJson(200, { userId: 'u', roles: [], permissions: [], extra: 1 });

    expect(await client.grantsOf({ sub: 'x' })).toEqual({
      userId: 'u',
      roles: [],
      permissions: [],
    });
  });

  it('asks once more when the service stumbles', async () => {
    service.answer = (request, response) => {
      service.recover();
      answerText(503, 'busy')(request, response);
    };

    expect(await client.grantsOf({ sub: 'x' })).toEqual(ordinaryGrants);
    expect(service.requests).toHaveLength(2);
  });

  it('does not ask again when the answer is wrong', async () => {
    service.answer = answerJson(200, { ...ordinaryGrants, roles: [1] });

    await expect(client.grantsOf({ sub: 'x' })).rejects.toMatchObject({
      code: 'permission_service_contract',
      detail: 'bad_shape',
    });
    expect(service.requests).toHaveLength(1);
  });

  it('follows no redirect', async () => {
    service.answer = answerText(307, '', { location: `${service.url}/elsewhere` });

    await expect(client.grantsOf({ sub: 'x' })).rejects.toMatchObject({ detail: 'http_307' });
    expect(service.requests).toHaveLength(1);
  });

  it('stops asking a service that is down, and asks again later', async () => {
    service.answer = answerText(500, 'down');
    for (let login = 0; login < 5; login += 1) {
      await expect(client.grantsOf({ sub: 'x' })).rejects.toMatchObject({
        code: 'permission_service_unavailable',
      });
    }
    const asked = service.requests.length;
    await expect(client.grantsOf({ sub: 'x' })).rejects.toMatchObject({ detail: 'breaker_open' });
    expect(service.requests).toHaveLength(asked);
    expect(asked).toBeLessThan(10);
  });
});
