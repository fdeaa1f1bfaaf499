// @tus/server with @tus/file-store: PORT DIRECTORY.
import http from 'node:http';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const [port, directory] = process.argv.slice(2);
const server = new Server({ path: '/files', datastore: new FileStore({ directory }) });
http.createServer((request, response) => server.handle(request, response))
  .listen(Number(port), '127.0.0.1');
