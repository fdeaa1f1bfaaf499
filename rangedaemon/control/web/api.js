// The control API: one function that asks, one error that says why not.

import { signOut, token } from "./session.js";

const BASE = new URL("../api/v1/", import.meta.url);

/** An answer that is no success (RFC 9457), or none at all (status 0). */
export class Problem extends Error {
  constructor(status, said = {}) {
    super(said.detail || said.title || `The daemon answered with status ${status}.`);
    this.status = status;
    this.code = said.code || "";
    this.errors = said.errors || [];
  }
}

/** The address of a resource of the API. */
export const address = (path) => new URL(path, BASE);

/** Ask with the token; the response, whatever its status. */
export async function send(path, options = {}) {
  const headers = { Authorization: `Bearer ${token()}`, ...options.headers };
  try {
    return await fetch(address(path), { cache: "no-store", credentials: "omit", ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The daemon cannot be reached. Is it running?" });
  }
}

/** Ask, and read the answer's JSON (null where it has none). */
export async function ask(method, path, body) {
  const json = body === undefined ? {} : {
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  };
  const response = await send(path, { method, ...json });
  if (!response.ok) throw await problemOf(response);
  return response.status === 204 ? null : response.json();
}

/** The problem in a response; a refused token ends the session. */
export async function problemOf(response) {
  let said = {};
  if ((response.headers.get("Content-Type") || "").includes("json")) {
    said = await response.json().catch(() => ({}));
  }
  if (response.status === 401) signOut("The daemon does not know this token (any more).");
  return new Problem(response.status, said);
}

export const get = (path) => ask("GET", path);
export const steer = (id, verb) => ask("POST", `jobs/${id}/${verb}`);
export const change = (id, wishes) => ask("PATCH", `jobs/${id}`, wishes);
export const remove = (id, files) => ask("DELETE", `jobs/${id}?files=${files}`);
