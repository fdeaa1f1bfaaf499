// The dialog that adds downloads: addresses, lists, Metalink files, and what is wished for them.

import { Problem, ask } from "./api.js";
import { sentence } from "./advice.js";
import { $, dialog, h } from "./dom.js";
import { LARGEST, readMetalink } from "./metalink.js";
import { notice } from "./notices.js";
import { size } from "./units.js";
import { commonWishes, fileWishes, folderWishes, linesOf, singleWishes } from "./wishes.js";

const BATCH = 500;

export class Adding {
  #files = [];

  constructor(onAdded) {
    this.onAdded = onAdded;
    this.dialog = dialog("add");
    $("add-form").addEventListener("submit", (event) => { event.preventDefault(); this.#submit(); });
    $("addresses").addEventListener("input", () => this.#changed());
    for (const id of ["mirrors", "folders"]) $(id).addEventListener("change", () => this.#changed());
    $("file").addEventListener("change", (event) => { this.take([...event.target.files]); event.target.value = ""; });
    this.#acceptDrops();
  }

  open(text = "") {
    if (text) $("addresses").value = [$("addresses").value.trimEnd(), text].filter(Boolean).join("\n");
    if (!this.dialog.open) this.dialog.showModal();
    this.#changed();
    $("addresses").focus();
  }

  /** Files from a drop or the file dialog: Metalink, or lists of addresses. */
  async take(files) {
    this.open();
    for (const file of files) {
      try {
        if (file.size > LARGEST) throw new Error("it is too large for a list of downloads");
        await this.#read(await file.text());
      } catch (error) {
        this.#complain([`${file.name}: ${error.message}`]);
      }
    }
    this.#changed();
  }

  #read(text) {
    if (text.trimStart().startsWith("<")) this.#files.push(...readMetalink(text));
    else this.open(linesOf(text).map(({ url }) => url).join("\n"));
  }

  #acceptDrops() {
    const over = (on) => $("drop").classList.toggle("over", on);
    addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
    addEventListener("dragleave", () => over(false));
    addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      if ($("page").hidden) return;
      const { files } = event.dataTransfer;
      const text = event.dataTransfer.getData("text/uri-list") || event.dataTransfer.getData("text/plain");
      if (files.length) this.take([...files]);
      else if (text) this.open(linesOf(text).map(({ url }) => url).join("\n"));
    });
  }

  #changed() {
    const lines = linesOf($("addresses").value);
    const folders = $("folders").checked;
    const together = !folders && $("mirrors").checked && lines.length > 1;
    const count = (together ? 1 : lines.length) + this.#files.length;
    $("mirrors-line").hidden = folders || lines.length < 2;
    hide("data-single", folders || count > 1 || this.#files.length > 0);
    hide("data-file", folders && !this.#files.length);
    hide("data-folder", !folders);
    $("add-go").textContent = count > 1 ? `Add ${count} ${folders ? "jobs" : "downloads"}` : "Add";
    $("from-metalink").replaceChildren(...this.#files.map((file) => this.#listed(file)));
  }

  #listed(file) {
    const { wish } = file;
    const told = [file.size && size(file.size), wish.urls.length > 1 && `${wish.urls.length} mirrors`, wish.checksum?.split("=")[0]];
    const drop = () => { this.#files = this.#files.filter((other) => other !== file); this.#changed(); };
    return h("li", {}, h("span", {}, [wish.filename ?? wish.urls[0], ...told.filter(Boolean)].join(" · ")),
      h("button", { type: "button", class: "quiet", "aria-label": `Leave out ${wish.filename ?? wish.urls[0]}`, click: drop }, "×"));
  }

  async #submit() {
    const { jobs, wrong } = this.#wishes();
    this.#complain(wrong);
    if (wrong.length) return;
    $("add-go").disabled = true;
    try {
      await this.#send(jobs);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#complain(this.#located(error, jobs));
    } finally {
      $("add-go").disabled = false;
    }
  }

  async #send(jobs) {
    let added = 0;
    for (let at = 0; at < jobs.length; at += BATCH) {
      const batch = jobs.slice(at, at + BATCH);
      const answer = await ask("POST", "jobs", batch.map(({ body }) => body)).catch((error) => {
        throw Object.assign(error, { from: at });
      });
      for (const job of answer.jobs) this.onAdded(job);
      added += batch.length;
    }
    this.#done(added);
  }

  #done(count) {
    const folders = $("folders").checked;
    this.#files = [];
    $("add-form").reset();
    this.dialog.close();
    notice(count === 1 ? "Added." : `${count} ${folders ? "jobs" : "downloads"} added.`);
  }

  /** Every job asked for, with where it stands in the form, and what is wrong already. */
  #wishes() {
    const wrong = [];
    const lines = linesOf($("addresses").value);
    const shared = commonWishes(wrong);
    const jobs = $("folders").checked ? this.#folders(lines, shared, wrong) : this.#downloads(lines, { ...shared, ...fileWishes() });
    for (const { wish } of this.#files) jobs.push({ where: wish.filename ?? "The Metalink file", body: merged({ ...shared, ...fileWishes() }, wish) });
    if (!jobs.length) wrong.push("Give at least one address.");
    return { jobs, wrong };
  }

  #folders(lines, shared, wrong) {
    const wishes = { ...shared, ...folderWishes(wrong) };
    return lines.map(({ url, line }) => ({ where: `Line ${line}`, body: { url, ...wishes } }));
  }

  #downloads(lines, shared) {
    const together = $("mirrors").checked;
    const single = !this.#files.length && (together || lines.length === 1) ? singleWishes() : {};
    if (together && lines.length > 1) {
      return [{ where: "The addresses", body: { urls: lines.map(({ url }) => url), ...shared, ...single } }];
    }
    return lines.map(({ url, line }) => ({ where: `Line ${line}`, body: { url, ...shared, ...single } }));
  }

  /** The API's complaints, each at the line that it is about. */
  #located(error, jobs) {
    const from = error.from ?? 0;
    const kept = from ? [`The first ${from} were added.`] : [];
    if (!error.errors.length) return [...kept, sentence(error)];
    return kept.concat(error.errors.map(({ loc, msg }) => {
      const [, at, field] = /^(\d+)\.?(.*)$/.exec(loc) ?? [];
      const where = at === undefined ? loc : [jobs[from + Number(at)]?.where, fieldName(field)].filter(Boolean).join(", ");
      return where ? `${where}: ${msg}` : msg;
    }));
  }

  #complain(lines) {
    $("add-errors").replaceChildren(...lines.slice(0, 20).map((line) => h("p", {}, line)));
  }
}

function hide(attribute, hidden) {
  for (const part of document.querySelectorAll(`[${attribute}]`)) part.hidden = hidden;
}

const fieldName = (field) => (/^urls?\b/.test(field) ? "" : field.replaceAll("_", " "));

/** A file's own folder goes below the one that is asked for. */
function merged(shared, wish) {
  const directory = [shared.directory, wish.directory].filter(Boolean).join("/");
  return { ...shared, ...wish, ...(directory ? { directory } : {}) };
}
