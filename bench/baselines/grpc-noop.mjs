// The floor of grpc-js: the request's bytes are not decoded, the answer is prebuilt and the smallest
// allow there is (an empty google.rpc.Status).
import { createServer } from 'node:http';
import { Server, ServerCredentials } from '@grpc/grpc-js';

const allow = Buffer.from([0x0a, 0x00]);
const asItIs = (/** @type {Buffer} */ bytes) => bytes;

const server = new Server();
server.addService(
  {
    Check: {
      path: '/envoy.service.auth.v3.Authorization/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: asItIs,
      requestDeserialize: asItIs,
      responseSerialize: asItIs,
      responseDeserialize: asItIs,
    },
  },
  { Check: (_call, callback) => callback(null, allow) },
);
server.bindAsync(`127.0.0.1:${process.env.PORT}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  // Only says that it is ready.
  createServer((_request, response) => response.end()).listen(
    Number(process.env.HEALTH_PORT),
    '127.0.0.1',
  );
});
