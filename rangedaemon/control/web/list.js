// The list of jobs: rows kept by id, drawn at most a few times a second.

import { $, h } from "./dom.js";
import { Row } from "./row.js";

const STEP = 100; // rows drawn at first, and more on demand
const INTERVAL = 200;

export class List {
  #rows = new Map();
  #timer = null;
  limit = STEP;

  constructor(store, act) {
    this.store = store;
    this.act = act;
    this.place = $("jobs");
    this.search = "";
  }

  /** Draw soon; many changes make one drawing. */
  soon() {
    this.#timer ??= setTimeout(() => this.draw(), INTERVAL);
  }

  draw() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const jobs = this.store.shown(this.search);
    const visible = jobs.slice(0, this.limit);
    this.#forget(new Set(visible.map(({ id }) => id)));
    this.#place(visible.map((job) => this.#row(job).element));
    $("more").hidden = jobs.length <= this.limit && !this.store.more;
    this.#empty(jobs.length);
  }

  /** Draw more rows; true where the daemon must be asked for them first. */
  extend() {
    this.limit += STEP;
    return this.store.shown(this.search).length < this.limit && this.store.more;
  }

  restart() {
    this.limit = STEP;
    this.draw();
  }

  /** The row that holds an element. */
  rowOf(element) {
    return this.#rows.get(element?.closest?.(".job")?.dataset.id);
  }

  /** Go to the next row (or the one before) from where the focus is. */
  step(by) {
    const names = [...this.place.querySelectorAll(".job-name")];
    const row = this.rowOf(document.activeElement);
    const at = row ? names.indexOf(row.name) + by : by > 0 ? 0 : names.length - 1;
    names[Math.max(0, Math.min(names.length - 1, at))]?.focus();
  }

  #row(job) {
    let row = this.#rows.get(job.id);
    if (row) row.update(job);
    else {
      row = new Row(job, this.act, (changed) => this.store.put(changed));
      this.#rows.set(job.id, row);
    }
    return row;
  }

  #forget(kept) {
    for (const [id, row] of this.#rows) {
      if (kept.has(id)) continue;
      if (row.element.contains(document.activeElement)) this.#saveFocus(row);
      row.close();
      this.#rows.delete(id);
    }
  }

  /** Who was at a row that goes is at its neighbour then, not at the top of the page. */
  #saveFocus(row) {
    const near = row.element.nextElementSibling ?? row.element.previousElementSibling;
    (near?.querySelector(".job-name") ?? $("add-open")).focus();
  }

  #place(elements) {
    elements.forEach((element, at) => {
      const there = this.place.children[at];
      if (there !== element) this.place.insertBefore(element, there ?? null);
    });
  }

  #empty(count) {
    const place = $("empty");
    place.hidden = count > 0 || this.store.status === null;
    if (place.hidden) return;
    const nothing = this.store.jobs.size === 0 && !this.search;
    place.replaceChildren(...(nothing
      ? [h("p", {}, "No downloads yet."), h("p", { class: "hint" }, "Add some, paste addresses anywhere on this page, or drop a Metalink file on it.")]
      : [h("p", {}, "Nothing here fits.")]));
  }
}
