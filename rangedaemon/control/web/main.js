// The page, put together.

import { can, isMirror, isUpload } from "./advice.js";
import { Adding } from "./adding.js";
import { get, remove, steer } from "./api.js";
import { $, dialog, h, mark, say } from "./dom.js";
import { Graph } from "./graph.js";
import { listen } from "./keys.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import { attempt, notice } from "./notices.js";
import { Player, save } from "./player.js";
import { keep, session, signOut, takeFromAddress, token } from "./session.js";
import { FILTERS, Store, title } from "./store.js";
import { duration, rate } from "./units.js";
import { linesOf } from "./wishes.js";

const store = new Store();
const list = new List(store, act);
const live = new Live(() => store.reload());
const graph = new Graph($("graph"));
const player = new Player();
const adding = new Adding((job) => store.put(job));
const help = dialog("help");
const removing = dialog("remove");

// -- what buttons and keys do ------------------------------------------------

async function act(verb, job) {
  if (verb === "remove") askToRemove(job);
  else if (verb === "play") player.open(job);
  else if (verb === "save") save(job);
  else {
    const changed = await attempt(title(job), () => steer(job.id, verb));
    if (changed) store.put(changed);
  }
}

function askToRemove(job) {
  say($("remove-title"), `Remove ${title(job)}?`);
  $("remove-all").hidden = isUpload(job);
  say($("remove-what"), isUpload(job)
    ? "The daemon forgets the upload. The local file stays, and so does what the server has of it."
    : isMirror(job)
    ? "The daemon forgets the mirror and the jobs of its files. The files that it fetched can stay or go."
    : job.state === "complete"
    ? "The daemon forgets the download. The finished file can stay or go."
    : "The download stops and is forgotten. What was fetched so far can stay or go.");
  $("remove-keep").onclick = () => forget(job, "keep");
  $("remove-all").onclick = () => forget(job, "delete");
  removing.showModal();
}

async function forget(job, files) {
  removing.close();
  const done = await attempt(title(job), async () => { await remove(job.id, files); return true; });
  if (!done) return;
  store.drop(job.id);
  if (isUpload(job)) notice(`${title(job)} forgotten.`);
  else notice(files === "keep" ? `${title(job)} removed; its file stays.` : `${title(job)} and its file removed.`);
}

/** Pause or resume all that is shown, one after the other. */
async function all(verb) {
  const jobs = store.shown(list.search).filter(can[verb]);
  for (const job of jobs) {
    const changed = await attempt(title(job), () => steer(job.id, verb));
    if (!changed) return;
    store.put(changed);
  }
  const done = verb === "pause" ? "paused" : "resumed";
  notice(jobs.length ? `${jobs.length} ${done}.` : `Nothing here can be ${done}.`);
}

const ifRow = (verb) => (row) => { if (can[verb](row.job)) act(verb, row.job); };
const turn = (row) => act(can.resume(row.job) ? "resume" : "pause", row.job);

listen(list, {
  a: () => adding.open(),
  "/": () => $("search").focus(),
  "?": () => help.showModal(),
  j: () => list.step(1),
  k: () => list.step(-1),
  ArrowDown: () => list.step(1),
  ArrowUp: () => list.step(-1),
}, {
  p: (row) => { if (can.resume(row.job) || can.pause(row.job)) turn(row); },
  r: ifRow("retry"),
  v: ifRow("play"),
  Delete: (row) => act("remove", row.job),
});

$("add-open").addEventListener("click", () => adding.open());
$("help-open").addEventListener("click", () => help.showModal());
$("sign-out").addEventListener("click", () => signOut());
$("pause-all").addEventListener("click", () => all("pause"));
$("resume-all").addEventListener("click", () => all("resume"));
$("search").addEventListener("input", (event) => { list.search = event.target.value; list.restart(); });
$("more").addEventListener("click", async () => {
  if (list.extend()) await attempt("No more could be had", () => store.loadMore());
  list.draw();
});
addEventListener("paste", (event) => {
  if ($("page").hidden || event.target.closest?.("input, textarea") || document.querySelector("dialog[open]")) return;
  const urls = linesOf(event.clipboardData.getData("text/plain")).map(({ url }) => url);
  if (urls.length && urls.every((url) => /^https?:\/\//i.test(url))) adding.open(urls.join("\n"));
});

// -- filters -----------------------------------------------------------------

const filters = new Map(Object.entries(FILTERS).map(([key, { name }]) => {
  const count = h("span", { class: "count" });
  const button = h("button", { type: "button", "aria-pressed": String(key === "all"), click: () => choose(key) }, `${name} `, count);
  $("filters").append(button);
  return [key, { button, count }];
}));

async function choose(key) {
  for (const [other, { button }] of filters) mark(button, "aria-pressed", String(other === key));
  list.limit = 100;
  await attempt("The list cannot be had", () => store.choose(key));
  list.draw();
}

// -- what is heard -----------------------------------------------------------

const LINKS = {
  opening: "Connecting …",
  live: "Live",
  polling: "Connected, by asking",
  broken: "Connection lost, trying again …",
  gone: "The daemon cannot be reached, trying again …",
};

live.addEventListener("job", ({ detail }) => store.put(detail));
live.addEventListener("removed", ({ detail }) => store.drop(detail.id));
live.addEventListener("status", ({ detail }) => store.tell(detail));
live.addEventListener("link", ({ detail }) => {
  say($("link"), LINKS[detail]);
  mark($("link"), "data-link", detail);
});
store.addEventListener("change", () => {
  list.soon();
  player.follow(store.jobs);
});

function beat() {
  if ($("page").hidden || !store.status) return;
  const running = [...store.jobs.values()].filter(({ state }) => state === "active");
  const incoming = running.reduce((sum, job) => sum + job.rate, 0);
  const outgoing = store.status.rate_out;
  if (!live.asleep) graph.sample(performance.now() / 1000, incoming, outgoing);
  say($("rate-in"), rate(incoming));
  say($("rate-out"), rate(outgoing));
  for (const [key, { count }] of filters) say(count, String(store.count(key)));
  document.title = running.length ? `${rate(incoming)} · rangedaemon` : "rangedaemon";
  showFoot(store.status);
}
setInterval(beat, 1000);

function showFoot(status) {
  const config = status.config ? ` · ${status.config}` : "";
  say($("about"), `rangedaemon ${status.version}, up ${duration(status.uptime_s)}${config}`);
  const places = status.files ?? [];
  const texts = places.map((url) => (status.uploads?.includes(url) ? `${url} (takes uploads)` : url));
  const links = [...$("places").querySelectorAll("a")].map((link) => link.textContent);
  if (links.join() === texts.join()) return;
  $("places").replaceChildren(...places.map((url, at) => h("a", { href: url, rel: "noreferrer" }, texts[at])));
}

// -- themes ------------------------------------------------------------------

const THEMES = { "": "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };

function showTheme() {
  say($("theme"), THEMES[document.documentElement.dataset.theme ?? ""]);
}

$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const order = Object.keys(THEMES);
  const next = order[(order.indexOf(root.dataset.theme ?? "") + 1) % order.length];
  if (next) root.dataset.theme = next;
  else delete root.dataset.theme;
  localStorage.setItem("rangedaemon.theme", next);
  showTheme();
});
showTheme();

// -- in and out --------------------------------------------------------------

function show(signedIn) {
  $("page").hidden = $("foot").hidden = $("sign-out").hidden = $("help-open").hidden = !signedIn;
  $("link").hidden = !signedIn;
  $("sign-in").hidden = signedIn;
}

async function enter() {
  show(true);
  list.draw();
  live.start();
}

session.addEventListener("out", ({ detail }) => {
  live.forget();
  store.clear();
  list.draw();
  graph.clear();
  for (const open of document.querySelectorAll("dialog[open]")) open.close();
  document.title = "rangedaemon";
  show(false);
  say($("sign-in-error"), detail);
  $("token").focus();
});

$("sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("token").value.trim();
  if (!/^[\x21-\x7e]+$/.test(text)) {
    say($("sign-in-error"), "A token has no blanks and no letters beyond ASCII.");
    return;
  }
  keep(text);
  try {
    await get("status");
  } catch (error) {
    if (error.status !== 401) say($("sign-in-error"), error.message);
    return;
  }
  $("token").value = "";
  say($("sign-in-error"), "");
  enter();
});

function arrive() {
  takeFromAddress();
  if (token() === null) {
    show(false);
    $("token").focus();
  } else enter();
}
addEventListener("hashchange", () => { if (location.hash.startsWith("#token=")) { live.forget(); arrive(); } });
arrive();
