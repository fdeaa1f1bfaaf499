// The client "aria2": a WebSocket with notifications, multicall and batch.
const Aria2 = require('aria2');
const [port, secret, file] = process.argv.slice(2);

async function story() {
  const client = new Aria2({ host: '127.0.0.1', port: Number(port), secure: false, secret, path: '/jsonrpc' });
  const seen = [];
  const complete = new Promise((resolve) => {
    client.on('onDownloadStart', ([event]) => seen.push(['start', event.gid]));
    client.on('onDownloadComplete', ([event]) => { seen.push(['complete', event.gid]); resolve(); });
  });
  await client.open();
  const gid = await client.call('addUri', [file], { out: 'with-aria2.bin' });
  await complete;
  const status = await client.call('tellStatus', gid);
  const multicall = await client.multicall([['tellStatus', gid, ['gid']], ['tellActive', ['gid']]]);
  const batch = await Promise.all(await client.batch([['tellStopped', 0, 9, ['gid']]]));
  await client.close();
  return { gid, seen, status: status.status, path: status.files[0].path, multicall, batch };
}

story().then((told) => console.log(JSON.stringify(told)));
