// The floor of node:http: every request is answered 200, nothing is read, nothing is decided.
// No Date header: the leanest answer there is, so that a ratio to it flatters nobody.
import { createServer } from 'node:http';

const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
  request.resume();
  response.sendDate = false;
  response.writeHead(200, ['content-length', '0']);
  response.end();
});
server.listen(Number(process.env.PORT), '127.0.0.1');
