// Bandwidth over the last minutes, as a drawing of two lines.

import { h, s, say } from "./dom.js";
import { rate } from "./units.js";

const SPAN = 300; // seconds shown
const WIDTH = 600;
const HEIGHT = 80;
const GAP = 6; // a line breaks where nothing was known for so many seconds

/** A round number of at least `value`: what the top of the drawing stands for. */
export function ceiling(value) {
  const step = 2 ** Math.ceil(Math.log2(Math.max(value, 1024)));
  return value <= 0.75 * step ? 0.75 * step : step;
}

/** The path of one series: samples are `{time, value}`, drawn in pieces between gaps. */
export function path(samples, now, top, closed) {
  const pieces = [];
  for (const [at, sample] of samples.entries()) {
    const fresh = at === 0 || sample.time - samples[at - 1].time > GAP;
    if (fresh) pieces.push([]);
    pieces.at(-1).push([
      (WIDTH * (1 - (now - sample.time) / SPAN)).toFixed(1),
      (HEIGHT * (1 - sample.value / top)).toFixed(1),
    ]);
  }
  return pieces.map((points) => draw(points, closed)).join("");
}

function draw(points, closed) {
  const line = points.map(([x, y]) => `${x} ${y}`).join("L");
  return closed ? `M${points[0][0]} ${HEIGHT}L${line}L${points.at(-1)[0]} ${HEIGHT}Z` : `M${line}`;
}

export class Graph {
  #samples = [];

  constructor(place) {
    this.area = s("path", { class: "graph-in-area" });
    this.incoming = s("path", { class: "graph-in" });
    this.outgoing = s("path", { class: "graph-out" });
    const lines = [0.25, 0.5, 0.75].map((part) =>
      s("line", { class: "graph-line", x1: 0, x2: WIDTH, y1: HEIGHT * part, y2: HEIGHT * part }));
    this.picture = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": "Bandwidth" },
      ...lines, this.area, this.incoming, this.outgoing);
    this.top = h("span", { class: "graph-top", "aria-hidden": "true" });
    const span = h("span", { class: "graph-span", "aria-hidden": "true" }, `${SPAN / 60} min`);
    place.replaceChildren(this.picture, this.top, span);
  }

  /** The rates at `now`, in seconds. */
  sample(now, incoming, outgoing) {
    this.#samples.push({ time: now, incoming, outgoing });
    while (this.#samples[0].time < now - SPAN - 1) this.#samples.shift();
    this.#draw(now, incoming);
  }

  clear() {
    this.#samples = [];
  }

  #draw(now, current) {
    const peak = Math.max(0, ...this.#samples.flatMap((at) => [at.incoming, at.outgoing]));
    const top = ceiling(peak);
    const series = (name) => this.#samples.map((at) => ({ time: at.time, value: at[name] }));
    const incoming = series("incoming");
    this.area.setAttribute("d", path(incoming, now, top, true));
    this.incoming.setAttribute("d", path(incoming, now, top, false));
    this.outgoing.setAttribute("d", path(series("outgoing"), now, top, false));
    say(this.top, rate(top));
    this.picture.setAttribute("aria-label",
      `Bandwidth of the last ${SPAN / 60} minutes: now ${rate(current)}, at most ${rate(peak)}`);
  }
}
