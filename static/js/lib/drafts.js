/**
 * The shape that is being drawn and not finished: kept for each visit, so that a reload does not cost its points.
 *
 * @typedef {{tool: string, points: [number, number][]}} Draft Longitude and latitude of what was clicked so far.
 */

import { debounce } from "tektite/lib/debounce";

// A rim that is dragged changes with every frame.
const KEEP_AFTER_MS = 150;

export class Drafts {
  /**
   * @param {object} needs
   * @param {import("tektite/lib/database").Database} needs.database
   * @param {string} needs.participant
   */
  constructor({ database, participant }) {
    Object.assign(this, { database, participant });
    /** @type {string|null} The visit on screen. */
    this.visit = null;
    /** @type {Draft|null} */
    this.current = null;
    this.isKept = true;
    this.keepSoon = debounce(() => this.#write(), KEEP_AFTER_MS);
    globalThis.addEventListener?.("pagehide", () => this.keepSoon.flush());
  }

  /** @param {Draft|null} draft Null: finished or given up. */
  set(draft) {
    const isBegun = draft && !this.current;
    this.current = draft;
    this.keepSoon();
    if (isBegun || !draft) {
      this.keepSoon.flush();
    }
  }

  /** @param {string|null} visit On screen from now on. @returns {Promise<Draft|null>} What was left unfinished there. */
  async enter(visit) {
    this.keepSoon.flush();
    this.visit = visit;
    this.current = null;
    if (visit === null) {
      return null;
    }
    try {
      const db = await this.database.open();
      const draft = (await db.get("drafts", [this.participant, visit])) ?? null;
      return this.visit === visit && !this.current ? draft : null;
    } catch {
      return null; // without a database there is none to find
    }
  }

  /** @returns {boolean} Whether closing the page would cost the unfinished shape. */
  get isAtRisk() {
    return this.current !== null && !this.isKept;
  }

  async #write() {
    const { visit, current, participant } = this;
    if (visit === null) {
      return;
    }
    try {
      const db = await this.database.open();
      await (current ? db.put("drafts", { participant, visit, ...current }) : db.delete("drafts", [participant, visit]));
      this.isKept = true;
    } catch {
      this.isKept = false;
    }
  }
}
