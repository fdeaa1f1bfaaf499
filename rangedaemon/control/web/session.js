// The token: kept by the browser for this tab, until the tab is closed.

const KEY = "rangedaemon.token";

/** Tells of "out" when the token is gone or was refused. */
export const session = new EventTarget();

export const token = () => sessionStorage.getItem(KEY);

export function keep(text) {
  sessionStorage.setItem(KEY, text);
}

/** Forget the token; `why` is shown where one signs in. */
export function signOut(why = "") {
  if (token() === null) return;
  sessionStorage.removeItem(KEY);
  session.dispatchEvent(new CustomEvent("out", { detail: why }));
}

/** Take a token out of the address (`#token=…`), so that neither history nor a bookmark has it. */
export function takeFromAddress() {
  const match = /^#token=(.+)$/.exec(location.hash);
  if (!match) return;
  history.replaceState(null, "", location.pathname + location.search);
  let text = match[1];
  try {
    text = decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  keep(text);
}
