// What the words of the API mean to people, and what they can do about them.

export const STATES = {
  queued: "Queued",
  probing: "Asking the server",
  active: "Downloading",
  waiting: "Will try again",
  paused: "Paused",
  verifying: "Verifying",
  complete: "Complete",
  failed: "Failed",
};

/** Whether octets leave by a job. */
export const isUpload = ({ kind }) => kind === "upload";

/** Whether a job mirrors a folder. */
export const isMirror = ({ kind }) => kind === "mirror";

/** Whether nothing is wrong with it: its time has not come. */
export const awaitsTurn = ({ state, error }) => state === "waiting" && !error;

const MIRROR_STATES = { probing: "Reading the listing", active: "Mirroring" };

/** The state of a job in words. */
export function stateOf(job) {
  if (isUpload(job) && job.state === "active") return "Uploading";
  if (awaitsTurn(job)) return "Waiting for its turn";
  return (isMirror(job) && MIRROR_STATES[job.state]) || (STATES[job.state] ?? job.state);
}

const ADVICE_FOR_UPLOADS = {
  "not-found": ["The server takes no uploads at this address.", "Check the address, or push the file again to another one."],
  unauthorized: ["The server refuses the upload.", "Push it again with the user, or the request fields, that the server asks for."],
  "checksum-mismatch": ["The local file is not the one that the checksum promises.", "Nothing was sent. Compare the file with the one that you mean."],
  "file-missing": ["The local file cannot be read.", "It has to be a file, no link, below the folders that files may be pushed from (pushes.directories)."],
  "file-changed": ["The local file changed while it was pushed.", "Try again to push the new one."],
  "upload-gone": ["The server has forgotten the upload.", "Try again: it is begun anew."],
  "offset-conflict": ["The server disagrees about what it has.", "Try again: the daemon asks it first."],
  locked: ["The upload is locked at the server.", "Nothing to do: the daemon tries again."],
  "too-large": ["The server does not take so large a file.", "Ask whoever runs it for more room."],
  "no-uploads": ["The server does not say that it takes uploads.", "Name the protocol that it speaks: tus, ietf or segmented."],
  "bad-response": ["The server's answer cannot be used.", "Check that the address is one where uploads are begun, and the protocol."],
};

const ADVICE = {
  "not-found": ["The server has no such file.", "Check the address, or add the download again with another one."],
  unauthorized: ["The server refuses access.", "Add it again with a fresh address, or with the request fields that the server asks for (Options, Request fields)."],
  "forbidden-address": ["The address leads to where jobs may not go.", "Whoever runs the daemon can open it (downloads.allow_addresses)."],
  untrusted: ["The server cannot prove who it is.", "Do not trust it. Whoever runs the daemon can name its authority (downloads.hosts, ca_file)."],
  "proxy-refused": ["The proxy refuses to lead there.", "Ask whoever runs the proxy."],
  changed: ["The file changed on the server while it was fetched.", "Try again to fetch the new version."],
  "checksum-mismatch": ["The file is not what the checksum promises.", "Do not use it. Compare the checksum with its publisher's; another mirror may have the right file."],
  "no-space": ["The disk has no room for it.", "Free some space, then try again: what was fetched is kept. A file larger than its disk needs another folder."],
  "not-writable": ["The daemon may not write into the folder.", "Give its user the right to write there, then try again."],
  "too-many-redirects": ["The server sends us in circles.", "Open the address in a browser and add the one where it ends."],
  "bad-redirect": ["The server leads to where the daemon does not follow.", "Open the address in a browser and add the one where it ends."],
  unreachable: ["The server cannot be reached.", "Check the address and the network; the daemon goes on where it stopped."],
  "timed-out": ["The server fell silent.", "Try again later; the daemon goes on where it stopped."],
  "too-slow": ["The server is slower than the daemon puts up with.", "The daemon tries again later. Another mirror may do better."],
  throttled: ["The server asks to come back later.", "Nothing to do: the daemon obeys. Fewer connections may help."],
  "server-error": ["The server has a fault of its own.", "Try again later."],
  "bad-response": ["The server's answer cannot be used.", "Open the address in a browser: it may be a page that leads to the file, not the file."],
  "no-ranges": ["The server no longer sends parts of the file.", "Try again: the daemon then fetches it in one piece."],
  unjoinable: ["Nothing shows that the server's answers belong to one file.", "Try again with one connection, or add it with a checksum."],
  "name-taken": ["A file of that name is there already.", "Remove the file, or add the download again with another file name."],
  "part-file-lost": ["The unfinished file is gone or was changed.", "Try again: it is fetched anew."],
  "outside-directory": ["The folder is outside the download folder.", "Name a folder below it."],
  incomplete: ["Not all of the folder could be mirrored.", "The details name the files; try again to ask for those once more."],
  storage: ["The disk or the journal failed.", "Look into the daemon's log, then try again."],
};

/** `[what happened, what to do]` for a job's error. */
export function adviceFor(error, job) {
  if (job && isUpload(job)) return ADVICE_FOR_UPLOADS[error.code] ?? ADVICE[error.code] ?? ["The upload cannot go on.", "Try again; the message says more."];
  return ADVICE[error.code] ?? ["The download cannot go on.", "Try again; the message says more."];
}

/** One sentence for people about a request that was refused. */
export function sentence(problem) {
  if (problem.errors?.length) return problem.errors.map(({ loc, msg }) => (loc ? `${loc}: ${msg}` : msg)).join("; ");
  return problem.message;
}

/** What may be done with a job in its state. */
export const can = {
  pause: ({ state }) => ["queued", "probing", "active", "waiting", "verifying"].includes(state),
  resume: ({ state }) => state === "paused",
  retry: (job) => job.state === "failed" || job.state === "waiting" || (isMirror(job) && job.state === "complete"),
  save: (job) => job.state === "complete" && !isUpload(job) && !isMirror(job),
  play: (job) => !isUpload(job) && PLAYABLE.test(job.filename ?? "") && ["active", "verifying", "complete"].includes(job.state),
};

const PLAYABLE = /\.(mp4|m4v|webm|ogv|mov|mkv|mp3|m4a|aac|ogg|oga|opus|flac|wav)$/i;
