// Short messages that come and go; spoken by screen readers, never in the way.

import { $, h } from "./dom.js";
import { Problem } from "./api.js";
import { sentence } from "./advice.js";

const SHOWN = 8000;
const MOST = 4;

/** Show a message; faults stay until they are put away. */
export function notice(text, kind = "done") {
  const place = $("notices");
  const close = h("button", { type: "button", class: "quiet", "aria-label": "Put this message away", click: () => box.remove() }, "×");
  const box = h("div", { class: `notice-box ${kind}` }, h("p", {}, text), close);
  place.append(box);
  while (place.children.length > MOST) place.firstChild.remove();
  if (kind !== "fault") setTimeout(() => box.remove(), SHOWN);
}

/** Do what may be refused; a refusal becomes a message. */
export async function attempt(what, act) {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status !== 401) notice(`${what}: ${sentence(error)}`, "fault");
    return undefined;
  }
}
