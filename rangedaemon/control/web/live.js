// What happens, as it happens: the event stream, read by fetch() since EventSource
// cannot send a token; where it breaks it is opened again from the last event on, and
// where it cannot be had, the listing is asked every few seconds.

import { Problem, problemOf, send } from "./api.js";
import { Parser } from "./sse.js";

const SILENCE = 15_000; // the daemon sends something every 3 s
const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;
const POLL = 3_000;
const HIDDEN_FOR = 60_000; // a hidden tab gives its connection back after so long

export class Live extends EventTarget {
  #run = null;
  #lastId = null;
  #failures = 0;
  #poll = null;
  #hide = null;

  /** `poll` asks for everything anew: after a gap, and every few seconds without a stream. */
  constructor(poll) {
    super();
    this.poll = poll;
    document.addEventListener("visibilitychange", () => this.#visibility());
    addEventListener("pagehide", () => this.#sleep());
    addEventListener("pageshow", () => this.#wake());
  }

  start() {
    this.stop();
    this.#run = new AbortController();
    this.#follow(this.#run.signal);
  }

  stop() {
    this.#run?.abort();
    this.#run = null;
    clearInterval(this.#poll);
    this.#poll = null;
  }

  /** Begin anew for another token. */
  forget() {
    this.stop();
    this.#lastId = null;
    this.#failures = 0;
    this.asleep = false;
  }

  #visibility() {
    clearTimeout(this.#hide);
    if (document.hidden && this.#run) this.#hide = setTimeout(() => this.#sleep(), HIDDEN_FOR);
    else if (!document.hidden) this.#wake();
  }

  /** A page that is kept for going back must hold no connection: a browser has six per server. */
  #sleep() {
    if (!this.#run) return;
    this.asleep = true;
    this.stop();
  }

  #wake() {
    if (!this.asleep) return;
    this.asleep = false;
    this.start();
  }

  async #follow(signal) {
    while (!signal.aborted) {
      this.#tell("link", this.#failures ? "broken" : "opening");
      try {
        await this.#stream(signal);
        this.#failures += 1;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Problem || error instanceof TypeError || error.name === "AbortError")) throw error;
        if (error.status === 401) return;
        this.#failures += 1;
      }
      if (this.#failures > 1) this.#startPolling();
      await pause(Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#failures - 1)), signal);
    }
  }

  async #stream(outer) {
    const guard = new AbortController();
    const watch = new Watchdog(() => guard.abort());
    const signal = AbortSignal.any([outer, guard.signal]);
    try {
      const headers = this.#lastId === null ? {} : { "Last-Event-ID": this.#lastId };
      const response = await send("events", { headers, signal });
      if (!response.ok) throw await problemOf(response);
      await this.#opened();
      const parser = new Parser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        watch.pet();
        const { value, done } = await reader.read();
        if (done) return;
        for (const event of parser.feed(value)) this.#happened(event);
        this.#lastId = parser.lastId ?? this.#lastId;
      }
    } finally {
      watch.end();
    }
  }

  async #opened() {
    clearInterval(this.#poll);
    this.#poll = null;
    if (this.#lastId === null) await this.poll();
    this.#failures = 0;
    this.#tell("link", "live");
  }

  #happened({ kind, data }) {
    if (kind === "resync") this.#ask();
    else this.#tell(kind, JSON.parse(data));
  }

  #startPolling() {
    this.#poll ??= setInterval(() => this.#ask(), POLL);
  }

  #ask() {
    this.poll().then(
      () => this.#poll && this.#tell("link", "polling"),
      (error) => this.#tell("link", error.status === 0 ? "gone" : "broken"),
    );
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

class Watchdog {
  #timer;
  #bark;
  constructor(bark) {
    this.#bark = bark;
    this.pet();
  }

  pet() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#bark, SILENCE);
  }

  end() {
    clearTimeout(this.#timer);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
