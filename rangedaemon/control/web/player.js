// Playing a job's file, while it is still being fetched too, and saving a copy of it.

import { Problem, problemOf, send } from "./api.js";
import { can, sentence, STATES } from "./advice.js";
import { $, dialog, say } from "./dom.js";
import { notice } from "./notices.js";
import { token } from "./session.js";
import { title } from "./store.js";

const PATIENCE = 5000;

/** Have the worker at our side; false where the browser has none (not HTTPS, not this machine). */
export async function prepare() {
  if (!navigator.serviceWorker) return false;
  navigator.serviceWorker.onmessage = ({ data, ports }) => {
    if (data === "token") ports[0].postMessage(token());
  };
  const registration = await navigator.serviceWorker.register(new URL("worker.js", import.meta.url));
  if (navigator.serviceWorker.controller) return true;
  const controlled = new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve(true), { once: true });
    setTimeout(() => resolve(Boolean(navigator.serviceWorker.controller)), PATIENCE);
  });
  const worker = registration.active ?? registration.waiting ?? registration.installing;
  worker.postMessage("claim");
  return controlled;
}

const NEEDS = "The browser lets a page do this by HTTPS or on the daemon's own machine only (localhost).";

const place = (job) => new URL(`content/${job.id}/${encodeURIComponent(job.filename ?? job.id)}`, import.meta.url).href;

/** Save a copy of a finished file on the reader's own machine. */
export async function save(job) {
  if (!(await ready())) {
    notice(`Not saved: ${NEEDS}`, "fault");
    return;
  }
  location.assign(place(job)); // an attachment: the page stays
}

async function ready() {
  try {
    return await prepare();
  } catch (error) {
    if (error instanceof DOMException || error instanceof TypeError) return false;
    throw error;
  }
}

export class Player {
  constructor() {
    this.dialog = dialog("player");
    this.video = $("video");
    this.dialog.addEventListener("close", () => this.#stop());
    this.video.addEventListener("error", () => this.#explain());
  }

  async open(job) {
    this.job = job;
    this.halted = null;
    say($("player-title"), title(job));
    say($("player-error"), "");
    this.#hint();
    this.dialog.showModal();
    if (!(await ready())) {
      say($("player-error"), NEEDS);
      return;
    }
    if (this.dialog.open && this.job?.id === job.id) this.video.src = place(job);
  }

  /** Take note of what became of the job: a browser that waits for octets says nothing by itself. */
  follow(jobs) {
    const job = this.job && jobs.get(this.job.id);
    if (!job || job === this.job) return;
    this.job = job;
    this.#hint();
    if (can.play(job)) this.#goOn();
    else this.#halt(job);
  }

  #hint() {
    say($("player-hint"), this.job.state === "complete" ? "" : "Still downloading: what you jump to is fetched first.");
  }

  #halt(job) {
    if (!this.halted) this.halted = { at: this.video.currentTime, paused: this.video.paused };
    const what = { paused: "Resume the download to see more.", failed: "See its message in the list." };
    say($("player-error"), `${STATES[job.state] ?? job.state}: no more of it comes now. ${what[job.state] ?? "It goes on by itself."}`);
    say($("player-hint"), "");
  }

  /** Octets come again: ask anew from the moment that was shown, for the old answer is cut off. */
  #goOn() {
    if (!this.halted) return;
    const { at, paused } = this.halted;
    this.halted = null;
    say($("player-error"), "");
    this.video.src = place(this.job);
    this.video.currentTime = at;
    if (!paused) this.video.play().catch(() => {}); // refused, or closed meanwhile: it stands still, with its button
  }

  #stop() {
    this.job = null;
    this.video.removeAttribute("src");
    this.video.load();
  }

  /** A media element does not say why it fails: ask for one octet and read the reason. */
  async #explain() {
    const { job } = this;
    if (!job || this.halted || !this.video.hasAttribute("src")) return;
    try {
      const response = await send(`jobs/${job.id}/content`, { headers: { Range: "bytes=0-0" } });
      if (!response.ok) throw await problemOf(response);
      await response.body?.cancel();
      say($("player-error"), "The browser cannot play this kind of file. When it is complete, save a copy instead.");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      say($("player-error"), `${sentence(error)}`);
    }
  }
}
