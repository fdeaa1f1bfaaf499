// Sizes, rates, times: from numbers to words, and sizes back again.

const STEPS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const FACTORS = { "": 1, b: 1, k: 1024, kib: 1024, kb: 1000, m: 1024 ** 2, mib: 1024 ** 2, mb: 1e6,
  g: 1024 ** 3, gib: 1024 ** 3, gb: 1e9, t: 1024 ** 4, tib: 1024 ** 4, tb: 1e12 };

/** 1536 → "1.5 KiB" */
export function size(octets) {
  let step = 0;
  let value = octets;
  while (value >= 1023.95 && step < STEPS.length - 1) {
    value /= 1024;
    step += 1;
  }
  const digits = step === 0 ? 0 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${STEPS[step]}`;
}

export const rate = (octets) => `${size(octets)}/s`;

/** 3725 → "1 h 2 min"; two units at most. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([length]) => whole >= length);
  if (first < 0) return "0 s";
  const [length, name] = parts[first];
  const said = [`${Math.floor(whole / length)} ${name}`];
  const next = parts[first + 1];
  const rest = next ? Math.floor((whole % length) / next[0]) : 0;
  if (rest) said.push(`${rest} ${next[1]}`);
  return said.join(" ");
}

/** The whole percent, which is 100 at the end only. */
export function percent(part, whole) {
  if (!whole) return part === whole ? 100 : 0;
  return part >= whole ? 100 : Math.min(99, Math.floor((100 * part) / whole));
}

/** "2 MiB" → 2097152, "" → null; undefined where it is no size. */
export function parseSize(text) {
  const trimmed = text.trim().toLowerCase().replace(/\/s$/, "").trim();
  if (trimmed === "") return null;
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]*)$/.exec(trimmed);
  const factor = match && FACTORS[match[2]];
  const octets = factor ? Math.round(Number(match[1]) * factor) : 0;
  return octets >= 1 && octets <= Number.MAX_SAFE_INTEGER ? octets : undefined;
}

const LENGTHS = { "": 1, s: 1, m: 60, min: 60, h: 3600, d: 86400, w: 604800 };

/** "6 h" → 21600 (seconds), "" → null; undefined where it is no length of time. */
export function parseDuration(text) {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === "") return null;
  const match = /^(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]*)$/.exec(trimmed);
  const length = match && LENGTHS[match[2]];
  return length && Number(match[1]) * length >= 1 ? Number(match[1]) * length : undefined;
}

const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** An RFC 3339 time in the reader's own manner. */
export const moment = (text) => WHEN.format(new Date(text));
