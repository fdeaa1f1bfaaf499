// The map of a job's segments: which octets are there, which come, and from whom.

import { h, s, say } from "./dom.js";
import { percent, size } from "./units.js";

const WIDTH = 1000;
const HEIGHT = 28;
const COLOURS = 6;
const MOST_ROWS = 16;

/** Sources in order of appearance, each with the number of its colour. */
export function sourcesOf(segments) {
  const sources = new Map();
  for (const { url } of segments) {
    if (url && !sources.has(hostOf(url))) sources.set(hostOf(url), sources.size % COLOURS);
  }
  return sources;
}

const hostOf = (url) => new URL(url).host;

/** Rectangles `{x, width, kind, source}` in a drawing of WIDTH, for octets up to `length`. */
export function rectangles(segments, length, sources) {
  const scale = (octets) => (WIDTH * octets) / length;
  return segments.flatMap(({ start, end, received, state, url }) => {
    const source = url ? sources.get(hostOf(url)) : null;
    const whole = { x: scale(start), width: scale(end - start), kind: state, source };
    if (state !== "active") return state === "missing" ? [] : [whole];
    return [whole, { x: whole.x, width: scale(received), kind: "fetched", source }];
  });
}

export class SegmentMap {
  /** `pushed`: whether the segments leave. */
  constructor(pushed = false) {
    this.words = pushed
      ? { who: "What is sent", source: "Server", being: "being sent", idle: "Nothing is being sent now. Filled parts are at the server." }
      : { who: "Who fetches what", source: "Source", being: "being fetched", idle: "Nothing is being fetched now. Filled parts are on disk." };
    this.picture = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": "Segments", class: "map" });
    this.legend = h("p", { class: "map-legend" });
    this.rows = h("tbody");
    this.table = h("table", { class: "map-table" },
      h("caption", { class: "unseen" }, this.words.who),
      h("thead", {}, h("tr", {}, ...[this.words.source, "From", "To", "Done"].map((name) => h("th", { scope: "col" }, name)))),
      this.rows);
    this.element = h("div", { class: "map-box" }, this.picture, this.legend, this.table);
  }

  /** Draw the segments of a job whose size may not be known yet. */
  show(segments, length) {
    const whole = length || Math.max(1, ...segments.map(({ end }) => end));
    const sources = sourcesOf(segments);
    this.picture.replaceChildren(...rectangles(segments, whole, sources).map(rectangle));
    const active = segments.filter(({ state }) => state === "active");
    const there = segments.reduce((sum, { received }) => sum + received, 0);
    this.picture.setAttribute("aria-label",
      `Segments: ${percent(there, whole)} percent is there, ${active.length} parts are ${this.words.being}`);
    this.#explain(active, sources);
  }

  #explain(active, sources) {
    this.table.hidden = active.length === 0;
    if (!active.length) {
      say(this.legend, this.words.idle);
      return;
    }
    this.legend.replaceChildren(...[...sources].map(([host, colour]) =>
      h("span", { class: "map-source" }, chip(colour), `${host} · ${counted(active, host)}`)));
    this.rows.replaceChildren(...active.slice(0, MOST_ROWS).map((segment) => line(segment, sources)), ...rest(active));
  }
}

function rectangle({ x, width, kind, source }) {
  const colour = source === null ? "" : ` s${source}`;
  return s("rect", { class: `map-${kind}${colour}`, x: x.toFixed(2), width: Math.max(width, 0.8).toFixed(2), y: 0, height: HEIGHT });
}

function line(segment, sources) {
  const host = segment.url ? hostOf(segment.url) : "";
  const done = percent(segment.received, segment.end - segment.start);
  return h("tr", {},
    h("td", {}, host ? chip(sources.get(host)) : null, host),
    h("td", {}, size(segment.start)),
    h("td", {}, size(segment.end)),
    h("td", {}, `${done} %`));
}

function rest(active) {
  const left = active.length - MOST_ROWS;
  return left > 0 ? [h("tr", {}, h("td", { colspan: 4 }, `and ${left} more`))] : [];
}

function counted(active, host) {
  const count = active.filter(({ url }) => url && hostOf(url) === host).length;
  return count === 1 ? "1 connection" : `${count} connections`;
}

const chip = (colour) => h("span", { class: `chip s${colour}`, "aria-hidden": "true" });
