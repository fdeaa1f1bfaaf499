// What the form that adds downloads says of them: the fields of the API's requests.

import { $ } from "./dom.js";
import { parseDuration, parseSize } from "./units.js";

/** Lines with something in them each; blank lines and comments are passed over. */
export function linesOf(text) {
  return text.split(/\r?\n/)
    .map((line, at) => ({ url: line.trim(), line: at + 1 }))
    .filter(({ url }) => url && !url.startsWith("#"));
}

/** What every job may be asked for; what is wrong goes to *wrong*. */
export function commonWishes(wrong) {
  const wishes = { ...numbers(wrong, { "add-segments": "segments", "add-priority": "priority" }), ...texts({ directory: "directory", window: "window" }) };
  const limit = parseSize($("add-limit").value);
  if (limit === undefined) wrong.push("A limit is a size such as 500 KiB or 2 MiB; leave it empty for none.");
  else if (limit) wishes.rate_limit = limit;
  const every = parseDuration($("every").value);
  if (every === undefined) wrong.push("Again every: a time such as 30 min, 6 h or 1 d; leave it empty for once only.");
  else if (every) wishes.repeat = { every };
  if ($("paused").checked) wishes.paused = true;
  const headers = requestFields(wrong);
  if (Object.keys(headers).length) wishes.headers = headers;
  return wishes;
}

/** What can be said of files only. */
export const fileWishes = () => ({ on_conflict: $("conflict").value });

/** What can be said of a single file only. */
export const singleWishes = () => texts({ filename: "filename", checksum: "checksum" });

/** What can be said of folders only. */
export function folderWishes(wrong) {
  const wishes = { kind: "mirror", ...numbers(wrong, { depth: "depth" }) };
  for (const name of ["include", "exclude"]) {
    const patterns = $(name).value.split(/\s+/).filter(Boolean);
    if (patterns.length) wishes[name] = patterns;
  }
  if ($("delete-unlisted").checked) wishes.delete = true;
  return wishes;
}

function numbers(wrong, fields) {
  const wishes = {};
  for (const [id, name] of Object.entries(fields)) {
    const input = $(id);
    if (input.value === "" && !input.validity.badInput) continue;
    if (Number.isInteger(Number(input.value)) && !input.validity.badInput) wishes[name] = Number(input.value);
    else wrong.push(`${input.labels[0].textContent}: a whole number.`);
  }
  return wishes;
}

const texts = (fields) => Object.fromEntries(Object.entries(fields)
  .map(([id, name]) => [name, $(id).value.trim()]).filter(([, text]) => text));

function requestFields(wrong) {
  const headers = {};
  for (const { url: line } of linesOf($("fields").value)) {
    const colon = line.indexOf(":");
    if (colon < 1) wrong.push("A request field is a name, a colon and a value.");
    else headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  }
  return headers;
}
