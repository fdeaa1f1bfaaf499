// The jobs that this page knows, newest first, and how it comes to know more of them.

import { isMirror } from "./advice.js";
import { get } from "./api.js";

const PAGE = 100;
const MOST = 3000; // beyond so many the page begins anew with the newest

/** The filters of the list: a name, and the states that it shows. */
export const FILTERS = {
  all: { name: "All", states: null },
  running: { name: "Running", states: ["probing", "active", "verifying"] },
  waiting: { name: "Waiting", states: ["queued", "waiting"] },
  paused: { name: "Paused", states: ["paused"] },
  failed: { name: "Failed", states: ["failed"] },
  complete: { name: "Complete", states: ["complete"] },
};

const newerFirst = (a, b) => b.seq - a.seq;

export class Store extends EventTarget {
  jobs = new Map();
  status = null;
  filter = "all";
  #feeds = new Map();
  #limit = MOST;

  /** A job as it is now; the files of a mirror are shown by its row. */
  put(job) {
    if (job.parent) return;
    this.jobs.set(job.id, job);
    this.#changed();
    if (this.jobs.size > this.#limit) this.reload();
  }

  drop(id) {
    if (this.jobs.delete(id)) this.#changed();
  }

  tell(status) {
    this.status = status;
    this.#changed();
  }

  clear() {
    this.jobs.clear();
    this.#feeds.clear();
    this.status = null;
    this.#changed();
  }

  /** Ask for everything that is shown anew. */
  async reload() {
    this.#limit = Infinity; // once is enough while we ask
    const loaded = new Map();
    const [status, running, shown] = await Promise.all([
      get("status"),
      this.#firstPages(FILTERS.running.states, loaded),
      this.#firstPages(FILTERS[this.filter].states ?? [null], loaded),
    ]).finally(() => { this.#limit = MOST; });
    this.jobs = loaded;
    this.status = status;
    this.#feeds = new Map([["running", running], [this.filter, shown]]);
    this.#limit = loaded.size + MOST;
    this.#changed();
  }

  /** Show another part of the list. */
  async choose(filter) {
    this.filter = filter;
    this.#changed();
    if (!this.#feeds.has(filter)) {
      this.#feeds.set(filter, await this.#firstPages(FILTERS[filter].states ?? [null], this.jobs));
      this.#changed();
    }
  }

  /** Whether the daemon has more of what is shown. */
  get more() {
    return (this.#feeds.get(this.filter) ?? []).some((feed) => feed.next !== null);
  }

  /** The next page of what is shown. */
  async loadMore() {
    const feeds = this.#feeds.get(this.filter) ?? [];
    await Promise.all(feeds.filter((feed) => feed.next !== null).map((feed) => this.#page(feed, this.jobs)));
    this.#limit = this.jobs.size + MOST;
    this.#changed();
  }

  /** What is shown, where a text is searched. */
  shown(text) {
    const states = FILTERS[this.filter].states;
    const wanted = text.trim().toLowerCase();
    return [...this.jobs.values()]
      .filter((job) => (!states || states.includes(job.state)) && (!wanted || found(job, wanted)))
      .sort(newerFirst);
  }

  /** How many jobs a filter has: by the daemon's count, unless that has files of mirrors in it. */
  count(filter) {
    const known = [...this.jobs.values()];
    if (known.some(isMirror)) {
      const wanted = FILTERS[filter].states;
      return known.filter(({ state }) => !wanted || wanted.includes(state)).length;
    }
    const counts = this.status?.jobs ?? {};
    const states = FILTERS[filter].states ?? Object.keys(counts);
    return states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  }

  #firstPages(states, jobs) {
    return Promise.all(states.map((state) => this.#page({ state, next: "" }, jobs)));
  }

  async #page(feed, jobs) {
    const query = new URLSearchParams({ limit: PAGE, parent: "none" });
    if (feed.state) query.set("state", feed.state);
    if (feed.next) query.set("cursor", feed.next);
    const page = await get(`jobs?${query}`);
    for (const job of page.jobs) jobs.set(job.id, job);
    feed.next = page.next;
    return feed;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

const found = (job, text) =>
  [title(job), ...job.urls].some((part) => part.toLowerCase().includes(text));

/** What people call the job. */
export function title(job) {
  return job.name ?? job.filename ?? lastSegment(job.urls[0]) ?? job.id;
}

function lastSegment(url) {
  if (!url) return null;
  const { hostname, pathname } = new URL(url);
  const last = pathname.split("/").filter(Boolean).pop();
  if (!last) return hostname;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}
