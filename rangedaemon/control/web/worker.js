// Lends the page's token to what cannot carry one: the browser asks for a video, or saves
// a file, at `content/<id>` below this page, and this worker fetches it from the API.
// The token stays with the page, which is asked for it each time; a worker may be ended
// and started again at any moment.
"use strict";

const OURS = new URL("content/", self.registration.scope);
const API = new URL("../api/v1/jobs/", self.registration.scope);
const PASSED_ON = ["Range", "If-Range", "If-None-Match", "If-Modified-Since"];
const PATIENCE = 5000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => {
  if (event.data === "claim") event.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const match = url.origin === OURS.origin && url.pathname.startsWith(OURS.pathname)
    && /^([0-9a-f]{16})(?:\/[^/]*)?$/.exec(url.pathname.slice(OURS.pathname.length));
  if (match && event.request.method === "GET") event.respondWith(content(event, match[1]));
});

async function content(event, id) {
  const token = await tokenFor(event.clientId);
  if (token === null) return new Response("Sign in first.", { status: 401 });
  const headers = new Headers({ Authorization: `Bearer ${token}` });
  for (const name of PASSED_ON) {
    const value = event.request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const options = { headers, cache: "no-store", credentials: "omit", signal: event.request.signal };
  return fetch(new URL(`${id}/content`, API), options);
}

/** The token of the page that asks; of any page of ours where a navigation has none. */
async function tokenFor(clientId) {
  const asking = clientId ? await self.clients.get(clientId) : null;
  const pages = asking ? [asking] : await self.clients.matchAll({ type: "window" });
  for (const page of pages) {
    const token = await tokenOf(page);
    if (token !== null) return token;
  }
  return null;
}

function tokenOf(page) {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const timer = setTimeout(() => resolve(null), PATIENCE);
    port1.onmessage = ({ data }) => {
      clearTimeout(timer);
      resolve(typeof data === "string" ? data : null);
    };
    page.postMessage("token", [port2]);
  });
}
