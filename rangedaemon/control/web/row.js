// One job of the list.

import { adviceFor, awaitsTurn, can, isMirror, isUpload, stateOf } from "./advice.js";
import { Details } from "./details.js";
import { h, mark, say } from "./dom.js";
import { extentOf, roundOf } from "./mirror.js";
import { title } from "./store.js";
import { duration, moment, percent, rate, size } from "./units.js";

const ACTIONS = [
  ["pause", "Pause"],
  ["resume", "Resume"],
  ["retry", "Try again"],
  ["play", "Play"],
  ["save", "Save a copy"],
];

export class Row {
  #details = null;

  /** `act(verb, job)` does what a button says; `onChange(job)` takes a changed job. */
  constructor(job, act, onChange) {
    this.onChange = onChange;
    this.name = h("button", { type: "button", class: "job-name", "aria-expanded": "false", click: () => this.toggle() });
    this.way = isUpload(job) ? h("span", { class: "way", title: "Upload" }, h("span", { "aria-hidden": "true" }, "↑ "), h("span", { class: "unseen" }, "Upload: ")) : null;
    this.badge = h("span", { class: "badge" });
    this.fill = h("div", { class: "fill" });
    this.bar = h("div", { class: "progress", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, this.fill);
    this.facts = h("p", { class: "facts" });
    this.what = h("strong");
    this.advice = h("span");
    this.error = h("p", { class: "error", hidden: true }, this.what, " ", this.advice);
    this.buttons = new Map(ACTIONS.map(([verb, label]) => [verb, h("button", { type: "button", click: () => act(verb, this.job) }, label)]));
    this.buttons.set("remove", h("button", { type: "button", class: "quiet", click: () => act("remove", this.job) }, "Remove"));
    this.element = h("li", { class: "job", "data-id": job.id, "data-kind": job.kind },
      h("div", { class: "job-main" },
        h("h3", {}, this.way, this.name), this.badge, this.bar, this.facts, this.error),
      h("div", { class: "job-acts" }, ...this.buttons.values()));
    this.update(job);
  }

  update(job) {
    if (this.job === job) return;
    this.job = job;
    const name = title(job);
    say(this.name, name);
    mark(this.element, "data-state", job.state);
    say(this.badge, stateOf(job));
    this.#progress(job, name);
    say(this.facts, factsOf(job).join(" · "));
    this.#trouble(job);
    this.#offer(job, name);
    this.#details?.update(job);
  }

  /** Open or close the details. */
  toggle() {
    if (this.#details) this.#details.close();
    this.#details = this.#details ? null : new Details(this.job, this.onChange);
    if (this.#details) {
      this.element.append(this.#details.element);
      this.name.setAttribute("aria-controls", this.#details.element.id);
    } else this.name.removeAttribute("aria-controls");
    this.name.setAttribute("aria-expanded", String(this.#details !== null));
  }

  close() {
    this.#details?.close();
    this.element.remove();
  }

  #progress(job, name) {
    const [part, whole] = isMirror(job) ? extentOf(job) : [job.received, job.size];
    const unknown = whole === null && job.state !== "complete";
    const done = job.state === "complete" ? 100 : percent(part, whole);
    mark(this.bar, "aria-label", `Progress of ${name}`);
    mark(this.bar, "aria-valuenow", unknown ? null : done);
    const exact = whole ? Math.min(1, part / whole) : done / 100;
    this.fill.style.width = `${unknown ? 0 : 100 * exact}%`;
    this.bar.classList.toggle("unknown", unknown && job.state === "active");
  }

  #trouble(job) {
    this.error.hidden = !job.error || !["failed", "waiting"].includes(job.state);
    if (this.error.hidden) return;
    const [what, advice] = adviceFor(job.error, job);
    say(this.what, what);
    say(this.advice, job.state === "waiting" ? `The daemon tries again ${due(job)}.` : advice);
  }

  #offer(job, name) {
    say(this.buttons.get("retry"), job.error ? "Try again" : "Run again");
    for (const [verb, button] of this.buttons) {
      button.hidden = verb !== "remove" && !can[verb](job);
      mark(button, "aria-label", `${button.textContent}: ${name}`);
    }
  }
}

function factsOf(job) {
  const parts = isMirror(job) ? roundOf(job) : octetsOf(job);
  if (awaitsTurn(job) && job.retry_at) parts.push(`next ${moment(job.retry_at)}`);
  if (job.priority) parts.push(`priority ${job.priority}`);
  if (job.rate_limit) parts.push(`at most ${rate(job.rate_limit)}`);
  parts.push(isUpload(job) ? `to ${from(job)}` : from(job));
  return parts;
}

function octetsOf(job) {
  const { state } = job;
  const known = job.size !== null;
  const parts = [];
  if (state === "complete") parts.push(size(job.size ?? job.received));
  else if (known) parts.push(`${size(job.received)} of ${size(job.size)}${isUpload(job) ? " sent" : ""}`, `${percent(job.received, job.size)} %`);
  else if (job.received || state === "active") parts.push(`${size(job.received)}, size unknown`);
  if (state === "active") {
    parts.push(rate(job.rate));
    if (job.eta_s !== null) parts.push(`${duration(job.eta_s)} left`);
    parts.push(job.connections === 1 ? "1 connection" : `${job.connections} connections`);
  }
  return parts;
}

function from(job) {
  const hosts = [...new Set(job.urls.map((url) => new URL(url).host))];
  return hosts.length > 1 ? `${hosts[0]} and ${hosts.length - 1} more` : hosts[0] ?? "";
}

function due(job) {
  if (!job.retry_at) return "soon";
  const seconds = (new Date(job.retry_at) - Date.now()) / 1000;
  return seconds > 1 ? `in ${duration(seconds)}` : "now";
}
