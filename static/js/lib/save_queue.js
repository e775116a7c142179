/**
 * What was drawn and is not yet stored: kept in the browser's own storage until the server has it, sent in order,
 * tried again when there is no answer, and never dropped in silence.
 *
 * A hazard, and why it is none here:
 *   1. A save is sent, the server stores it, and the answer is lost on the way.
 *   2. The same save is sent again. Drawing repeats its uid, so the server answers with the mark it has.
 *   3. A change repeats its old version, so the server answers 409 with the mark as it is now.
 *   4. That mark is already what the change asked for: the save is done, and nobody is asked anything.
 *
 * @typedef {object} Save
 * @property {string} id
 * @property {number} at Milliseconds; the order of sending.
 * @property {string} visit Its uid.
 * @property {string} mark Its uid, made here.
 * @property {"draw"|"change"|"delete"|"restore"} kind
 * @property {Record<string, unknown>} body Of the request, without the version.
 * @property {number} base The version it starts from; 0 while only drawn here.
 * @property {boolean} tried Whether it was ever sent.
 *
 * States: signed_out and refused wait for a person; a refusal is about the person, the tile or the lease (403, 404,
 * 409 without a mark), never about the shape, which is dropped aloud (400).
 *
 * @typedef {"idle"|"saving"|"retrying"|"signed_out"|"refused"|"choosing"} QueueState
 */

import { newUid } from "tektite/lib/uid";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/** Emits "change" (its state) and, through the handlers, what became of each save. */
export class SaveQueue extends EventTarget {
  /**
   * @param {object} needs
   * @param {(save: Save) => Promise<Record<string, unknown>>} needs.send Answers with the mark as stored, or throws
   *   an ApiError.
   * @param {Storage} needs.storage
   * @param {string} needs.prefix Of the keys in the storage.
   * @param {(save: Save, mark: object) => void} needs.onSaved
   * @param {(save: Save, error: Error) => void} needs.onDropped The server will never take it.
   * @param {(save: Save, current: object) => Promise<"mine"|"theirs">} needs.onConflict
   * @param {(mark: object) => void} needs.onTheirs
   */
  constructor({ send, storage, prefix, onSaved, onDropped, onConflict, onTheirs }) {
    super();
    Object.assign(this, { send, storage, prefix, onSaved, onDropped, onConflict, onTheirs });
    /** @type {QueueState} */
    this.state = "idle";
    /** @type {Date|null} */
    this.lastSavedAt = null;
    /** @type {Error|null} What the last attempt said. */
    this.error = null;
    this.retryAt = 0;
    this.waitMs = FIRST_WAIT_MS;
    this.timer = 0;
    this.isSending = false;
    /** @type {Save[]} */
    this.saves = this.#read();
  }

  /**
   * @param {Pick<Save, "visit"|"mark"|"kind"|"body"|"base">} wanted
   */
  add(wanted) {
    const last = this.saves.findLast((save) => save.mark === wanted.mark);
    // Small steps become one, but a save that may already have reached the server stays as it is.
    if (wanted.kind === "change" && last?.kind === "change" && !last.tried) {
      Object.assign(last.body, wanted.body);
      this.#write(last);
    } else {
      const at = Math.max(Date.now(), (this.saves.at(-1)?.at ?? 0) + 1);
      const save = { ...wanted, id: newUid(), at, tried: false };
      this.saves.push(save);
      this.#write(save);
    }
    this.#announce();
    this.resume();
  }

  /** @param {string} visit @returns {Save[]} */
  pendingOf(visit) {
    return this.saves.filter((save) => save.visit === visit);
  }

  /** @param {string} visit @returns {Promise<void>} Resolves when nothing of it is unsaved. */
  async settled(visit) {
    while (this.pendingOf(visit).length) {
      await new Promise((resolve) => this.addEventListener("change", resolve, { once: true }));
    }
  }

  /** Send what there is, now: after adding, coming online, signing in. */
  resume() {
    if (this.isSending || this.state === "choosing" || !this.saves.length) {
      return;
    }
    clearTimeout(this.timer);
    this.#work();
  }

  /** Give up the first save, which the server does not take; only ever on somebody's word. */
  discardFirst() {
    const [save] = this.saves;
    if (save && !this.isSending) {
      this.#drop(save, this.error);
      this.#become(this.saves.length ? "saving" : "idle");
      this.resume();
    }
  }

  async #work() {
    this.isSending = true;
    while (this.saves.length) {
      this.#become("saving");
      const save = this.saves[0];
      save.tried = true;
      this.#write(save);
      try {
        this.#finish(save, await this.send(save));
      } catch (error) {
        if (!(await this.#overcome(save, error))) {
          break;
        }
      }
    }
    this.isSending = false;
    if (!this.saves.length) {
      this.#become("idle");
    }
  }

  /** @returns {Promise<boolean>} Whether to go on with the queue at once. */
  async #overcome(save, error) {
    if (error.status === 409 && error.current) {
      await this.#settleConflict(save, error.current);
      return true;
    }
    this.error = error;
    if (error.isPassing || error.status === undefined) {
      this.#retryLater();
    } else if (error.status === 401) {
      this.#become("signed_out");
    } else if (error.status === 400) {
      this.#drop(save, error);
      return true;
    } else {
      this.#become("refused");
    }
    return false;
  }

  async #settleConflict(save, current) {
    if (isDone(save, current)) {
      this.#finish(save, current);
      return;
    }
    this.#become("choosing");
    const choice = await this.onConflict(save, current);
    if (choice === "theirs") {
      for (const other of this.saves.filter(({ mark }) => mark === save.mark)) {
        this.#remove(other);
      }
      this.onTheirs(current);
      return;
    }
    save.base = current.version;
    this.#write(save);
    if (current.deleted && save.kind === "change") {
      const restore = { ...save, id: newUid(), kind: "restore", body: {}, at: save.at - 0.5 };
      this.saves.unshift(restore);
      this.#write(restore);
    }
  }

  #finish(save, mark) {
    this.#remove(save);
    for (const other of this.saves.filter((later) => later.mark === save.mark)) {
      other.base = mark.version;
      this.#write(other);
    }
    this.error = null;
    this.waitMs = FIRST_WAIT_MS;
    this.lastSavedAt = new Date();
    this.onSaved(save, mark);
    this.#announce();
  }

  #drop(save, error) {
    // What follows on a mark that was never drawn can only fail too.
    const lost = save.kind === "draw" ? this.saves.filter(({ mark }) => mark === save.mark) : [save];
    for (const each of lost) {
      this.#remove(each);
    }
    this.onDropped(save, error);
    this.#announce();
  }

  #retryLater() {
    this.retryAt = Date.now() + this.waitMs;
    this.timer = setTimeout(() => this.resume(), this.waitMs);
    this.waitMs = Math.min(2 * this.waitMs, LONGEST_WAIT_MS);
    this.#become("retrying");
  }

  #become(state) {
    this.state = state;
    this.#announce();
  }

  #announce() {
    this.dispatchEvent(new Event("change"));
  }

  // One key per save, so that two tabs never overwrite each other's.
  #write(save) {
    try {
      this.storage.setItem(this.prefix + save.id, JSON.stringify(save));
    } catch {
      // The storage is full or forbidden: the save still lives in this tab until the server has it.
    }
  }

  #remove(save) {
    this.saves = this.saves.filter((other) => other !== save);
    try {
      this.storage.removeItem(this.prefix + save.id);
    } catch {
      // As above.
    }
  }

  #read() {
    try {
      const keys = Array.from({ length: this.storage.length }, (_, i) => this.storage.key(i));
      const texts = keys.filter((key) => key.startsWith(this.prefix)).map((key) => this.storage.getItem(key));
      return texts.map((text) => JSON.parse(text)).sort((a, b) => a.at - b.at);
    } catch {
      return [];
    }
  }
}

/**
 * @param {Save} save
 * @param {Record<string, unknown>} current
 * @returns {boolean} Whether the stored mark is already what the save wants.
 */
function isDone(save, current) {
  if (save.kind === "delete") {
    return current.deleted === true;
  }
  if (save.kind === "restore") {
    return current.deleted === false;
  }
  return !current.deleted && Object.entries(save.body).every(([name, value]) => isSame(value, current[name]));
}

/** Numbers may have travelled through a database; a millionth of a millionth is no difference. */
function isSame(a, b) {
  if (typeof a === "number" && typeof b === "number") {
    return Math.abs(a - b) <= 1e-12 * Math.max(1, Math.abs(a));
  }
  return JSON.stringify(a) === JSON.stringify(b);
}
