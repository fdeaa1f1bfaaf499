// The client "tus-js-client" in Node.js: one upload, resumed by itself where it is cut.
const fs = require('fs');
const tus = require('tus-js-client');
const [endpoint, file, filename, parallel] = process.argv.slice(2);

const statuses = [];
const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint,
  retryDelays: [0, 100, 200, 400, 800],
  parallelUploads: Number(parallel),
  metadata: { filename },
  onAfterResponse: (req, res) => { statuses.push([req.getMethod(), res.getStatus()]); },
  onError: (error) => { console.error(String(error)); process.exit(1); },
  onSuccess: () => { console.log(JSON.stringify({ url: upload.url, statuses })); },
});
upload.start();
