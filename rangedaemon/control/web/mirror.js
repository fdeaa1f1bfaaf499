// What a mirror's row and details show: its latest round, and those of its files that matter now.

import { STATES } from "./advice.js";
import { get } from "./api.js";
import { h, say } from "./dom.js";
import { percent } from "./units.js";

const TOLD = ["fetched", "unchanged", "failed", "left", "gone", "deleted"];
const MOST = 50; // files in the list: a mirror may have 100,000
const SHOWN = ["active", "failed", "waiting"];

/** How much of its latest round is done, and of how much. */
export function extentOf({ mirror }) {
  const round = mirror.round;
  return round ? [round.fetched + round.unchanged, round.found] : [0, null];
}

/** `["3 of 4 files", "1 failed", …]`. */
export function roundOf(job) {
  const round = job.mirror.round;
  if (!round) return ["no round yet"];
  const [done, found] = extentOf(job);
  return [`${done} of ${found} files`, `${percent(done, found)} %`,
    ...TOLD.filter((name) => round[name]).map((name) => `${round[name]} ${name}`)];
}

/** The files of a mirror that are fetched, that wait or that failed. */
export class Files {
  constructor(job) {
    this.job = job;
    this.empty = h("p", { class: "hint" });
    this.list = h("ul", { class: "files" });
    this.element = h("div", {}, this.empty, this.list);
  }

  async refresh() {
    const pages = await Promise.all(SHOWN.map((state) => get(`jobs?parent=${this.job.id}&state=${state}&limit=${MOST}`)));
    const jobs = pages.flatMap((page) => page.jobs).slice(0, MOST);
    this.list.replaceChildren(...jobs.map((file) => h("li", {},
      `${STATES[file.state] ?? file.state}: ${pathOf(file, this.job)}${file.error ? ` (${file.error.message})` : ""}`)));
    say(this.empty, jobs.length ? "" : "No file is being fetched, and none has failed.");
  }
}

function pathOf(file, mirror) {
  const url = file.urls[0];
  const below = url.startsWith(mirror.urls[0]) ? url.slice(mirror.urls[0].length) : url;
  try {
    return decodeURIComponent(below);
  } catch {
    return below;
  }
}
