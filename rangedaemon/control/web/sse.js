// Server-Sent Events out of a stream of text (WHATWG HTML, 9.2.6). Pure: text in, events out.

export class Parser {
  #rest = "";
  #kind = "";
  #data = [];
  /** The id of the last event, to go on from. */
  lastId = null;

  /** The events that `text` completes. */
  *feed(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      const event = this.#line(line);
      if (event) yield event;
    }
  }

  #line(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#kind = value;
    else if (name === "id" && !value.includes("\0")) this.lastId = value;
    return null;
  }

  #dispatch() {
    const event = { kind: this.#kind || "message", data: this.#data.join("\n") };
    const told = this.#data.length > 0;
    this.#kind = "";
    this.#data = [];
    return told ? event : null;
  }
}
