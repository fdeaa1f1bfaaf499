// What a job's row shows when it is opened: the map, the facts, the wishes.

import { isMirror, isUpload } from "./advice.js";
import { change, get } from "./api.js";
import { h, say } from "./dom.js";
import { Files } from "./mirror.js";
import { attempt, notice } from "./notices.js";
import { SegmentMap } from "./segments.js";
import { duration, moment, parseSize, size } from "./units.js";

const REFRESH = 1000;
const RUNNING = ["probing", "active", "verifying"];
const VERIFIED = {
  checksum: "by the checksum given",
  "repr-digest": "by the server's digest",
  pieces: "piece by piece",
  length: "by its length only",
};

const PROTOCOLS = {
  auto: "as the server likes it",
  tus: "tus 1.0.0",
  ietf: "Resumable Uploads for HTTP (IETF draft)",
  segmented: "segments, as the nginx upload module takes them",
};

export class Details {
  #facts = new Map();
  #timer = null;

  constructor(job, onChange) {
    this.job = job;
    this.onChange = onChange;
    this.map = isMirror(job) ? new Files(job) : new SegmentMap(isUpload(job));
    this.list = h("dl", { class: "facts-list" });
    this.wishes = new Wishes(job, (wishes) => this.#wish(wishes));
    this.element = h("div", { class: "details", id: `details-${job.id}` }, this.map.element, this.list, this.wishes.element);
    this.update(job);
    this.#refresh();
  }

  update(job) {
    const asked = this.job.state !== job.state && this.#timer === null;
    this.job = job;
    for (const [name, text] of factsOf(job)) this.#fact(name, text);
    this.wishes.update(job);
    if (asked) this.#refresh();
  }

  close() {
    clearTimeout(this.#timer);
    this.#timer = -1;
    this.element.remove();
  }

  #fact(name, text) {
    let place = this.#facts.get(name);
    if (!place) {
      place = { text: h("dd"), box: null };
      place.box = h("div", {}, h("dt", {}, name), place.text);
      this.#facts.set(name, place);
      this.list.append(place.box);
    }
    say(place.text, text ?? "");
    place.box.hidden = text == null;
  }

  async #refresh() {
    this.#timer = null;
    const told = await attempt("What it is made of cannot be shown", () => this.#look());
    if (this.#timer === null && told && RUNNING.includes(this.job.state)) {
      this.#timer = setTimeout(() => this.#refresh(), REFRESH);
    }
  }

  /** Ask for the segments, or for the files of a mirror. */
  async #look() {
    if (isMirror(this.job)) await this.map.refresh();
    else {
      const { segments } = await get(`jobs/${this.job.id}/segments`);
      if (this.element.isConnected) this.map.show(segments, this.job.size);
    }
    return true;
  }

  async #wish(wishes) {
    const job = await attempt("Not changed", () => change(this.job.id, wishes));
    if (!job) return;
    this.onChange(job);
    notice("Changed.");
  }
}

function factsOf(job) {
  return [
    [isUpload(job) ? "Pushed to" : job.urls.length > 1 ? "Addresses" : "Address", job.urls.join("\n")],
    ["Folder", isMirror(job) ? job.directory : null],
    ["Next round", isMirror(job) && !job.error && job.retry_at ? moment(job.retry_at) : null],
    ["Protocol", job.protocol && (PROTOCOLS[job.protocol] ?? job.protocol)],
    ["File", isUpload(job) || job.state === "complete" ? job.path : job.path && `${job.path} (when it is complete)`],
    ["Added", moment(job.created)],
    ["Finished", job.finished && moment(job.finished)],
    ["Took", job.finished && job.started && duration((new Date(job.finished) - new Date(job.started)) / 1000)],
    ["Verified", job.verified && (VERIFIED[job.verified] ?? job.verified)],
    ["Checksum", job.checksum],
    ["Entity tag", job.etag],
    ["In parts", job.accepts_ranges === false ? "no: the server sends the file in one piece only" : null],
    [isUpload(job) ? "Sent again" : "Fetched again", job.refetched ? size(job.refetched) : null],
    ["Attempts", job.attempts > 1 ? String(job.attempts) : null],
    ["Server says", job.error?.message],
  ];
}

/** Priority, limit and connections, each kept until it is sent, whatever arrives meanwhile. */
class Wishes {
  #sent = null;

  constructor(job, send) {
    const field = (name, label, attributes) => {
      const input = h("input", { id: `${name}-${job.id}`, ...attributes });
      this[name] = input;
      return h("div", {}, h("label", { for: input.id }, label), input);
    };
    this.error = h("p", { class: "wrong", role: "alert" });
    this.element = h("form", { class: "wishes", novalidate: true, submit: (event) => this.#submit(event, send) },
      field("priority", "Priority", { type: "number", step: 1 }),
      field("limit", "Limit per second", { placeholder: "none, or 2 MiB", autocomplete: "off" }),
      field("segments", "Connections", { type: "number", min: 1, max: 128 }),
      h("button", { type: "submit" }, "Change"), this.error);
  }

  update(job) {
    const now = { priority: String(job.priority), limit: job.rate_limit ? size(job.rate_limit) : "", segments: String(job.segments) };
    for (const [name, text] of Object.entries(now)) {
      const touched = this.#sent && this[name].value !== this.#sent[name];
      if (!touched) this[name].value = text;
    }
    this.#sent = now;
    this.element.hidden = job.state === "complete";
  }

  #submit(event, send) {
    event.preventDefault();
    const limit = parseSize(this.limit.value);
    const [priority, segments] = [this.priority, this.segments].map((input) => Number(input.value));
    const wrong = limit === undefined ? "A limit is a size such as 500 KiB or 2 MiB; leave it empty for none."
      : !Number.isInteger(priority) ? "A priority is a whole number."
      : !(Number.isInteger(segments) && segments >= 1 && segments <= 128) ? "From 1 to 128 connections." : "";
    say(this.error, wrong);
    if (wrong) return;
    const limited = this.limit.value !== this.#sent.limit ? { rate_limit: limit } : {};
    send({ priority, segments, ...limited });
  }
}
