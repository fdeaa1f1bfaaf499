// The client "maria2": the same calls by WebSocket and by HTTP; options of any type.
import { aria2, close, open, system } from 'maria2';
import { createHTTP, createWebSocket } from 'maria2/transport';

const [port, secret, file] = process.argv.slice(2);
const at = `127.0.0.1:${port}/jsonrpc`;
const told = [];
for (const transport of [createWebSocket(`ws://${at}`), createHTTP(`http://${at}`)]) {
  const connection = await open(transport, { secret });
  const gid = await aria2.addUri(connection, [file], { pause: true, split: 3, out: 'm.bin' });
  const { status } = await aria2.tellStatus(connection, gid);
  const { split } = await aria2.getOption(connection, gid);
  const methods = await system.listMethods(connection);
  const removed = await aria2.remove(connection, gid);
  told.push({ gid, status, split, known: methods.includes('aria2.addUri'), removed });
  close(connection);
}
console.log(JSON.stringify(told));
