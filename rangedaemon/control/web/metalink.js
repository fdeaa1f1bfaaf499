// Metalink documents, version 4 (RFC 5854) and 3, as wishes for the API. Untrusted input:
// names that lead elsewhere, other schemes and hashes that we cannot check are left out.

const V4 = "urn:ietf:params:xml:ns:metalink";
const V3 = "http://www.metalinker.org/";
const STRENGTH = ["sha-512", "sha-256", "sha-1", "md5"];
const DIGITS = { "sha-512": 128, "sha-256": 64, "sha-1": 40, md5: 32 };
const MOST_MIRRORS = 64;
export const LARGEST = 8 * 1024 * 1024;

/** The files of a document: `[{wish, size}]`. Throws an Error with a sentence for people. */
export function readMetalink(text) {
  if (/<!ENTITY/i.test(text)) throw new Error("A Metalink file with entities of its own is not read.");
  const root = new DOMParser().parseFromString(text, "application/xml").documentElement;
  if (root.localName !== "metalink" || ![V4, V3].includes(root.namespaceURI)) {
    throw new Error("This is no Metalink file.");
  }
  const files = [...root.getElementsByTagNameNS(root.namespaceURI, "file")].map(fileOf).filter(Boolean);
  if (!files.length) throw new Error("The Metalink file names no file that can be fetched by HTTP.");
  return files;
}

function fileOf(element) {
  const urls = addresses(element);
  if (!urls.length) return null;
  const wish = { urls, ...place(element.getAttribute("name") ?? "") };
  const checksum = strongest(element);
  if (checksum) wish.checksum = checksum;
  return { wish, size: Number(child(element, "size")?.textContent) || null };
}

/** The addresses, best first: low priority numbers in version 4, high preferences in 3. */
function addresses(element) {
  const found = [...element.getElementsByTagNameNS(element.namespaceURI, "url")];
  const rank = (url) => Number(url.getAttribute("priority") ?? 999_999) - Number(url.getAttribute("preference") ?? 0);
  const texts = found.sort((a, b) => rank(a) - rank(b)).map((url) => url.textContent.trim());
  return [...new Set(texts.filter((url) => /^https?:\/\//i.test(url)))].slice(0, MOST_MIRRORS);
}

/** Folder and name out of a name that may have a path; none where it leads elsewhere. */
function place(name) {
  const parts = name.split("/");
  if (!name || parts.some((part) => part === "" || part === "." || part === "..")) return {};
  const filename = parts.pop();
  return parts.length ? { filename, directory: parts.join("/") } : { filename };
}

function strongest(element) {
  const own = [...element.children].flatMap((at) => (at.localName === "verification" ? [...at.children] : [at]));
  const known = new Map(own.filter((at) => at.localName === "hash").map((hash) => [
    (hash.getAttribute("type") ?? "").toLowerCase().replace(/^sha-?/, "sha-"),
    hash.textContent.trim().toLowerCase(),
  ]));
  const best = STRENGTH.find((type) => new RegExp(`^[0-9a-f]{${DIGITS[type]}}$`).test(known.get(type) ?? ""));
  return best ? `${best}=${known.get(best)}` : null;
}

const child = (element, name) => [...element.children].find((at) => at.localName === name);
