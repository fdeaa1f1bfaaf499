// The keyboard. Keys of one character can be turned off (WCAG 2.2, 2.1.4).

import { $ } from "./dom.js";

const SETTING = "rangedaemon.keys";
const TYPING = "input, textarea, select, [contenteditable]";

export const singleKeys = () => localStorage.getItem(SETTING) !== "off";

/** Listen; `global` and `forRow` map keys to what they do. */
export function listen(list, global, forRow) {
  const box = $("single-keys");
  box.checked = singleKeys();
  box.addEventListener("change", () => localStorage.setItem(SETTING, box.checked ? "on" : "off"));
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(TYPING) || document.querySelector("dialog[open]") || $("page").hidden) return;
    if (event.key.length === 1 && !singleKeys()) return;
    const row = list.rowOf(event.target);
    const act = (row && forRow[event.key]) || global[event.key];
    if (!act) return;
    event.preventDefault();
    act(row);
  });
}
