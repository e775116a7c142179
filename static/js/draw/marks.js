/**
 * The marks of the visit on screen, as they should be: what the server has, with what is still on its way.
 *
 * @typedef {object} Mark
 * @property {string} uid
 * @property {number} version As last stored; 0 before.
 * @property {number} lon
 * @property {number} lat
 * @property {number} diameter_m
 * @property {[number, number][]|null} rim_points
 * @property {boolean} uncertain
 * @property {boolean} deleted
 */

/** Emits "change" on any change, of the selection too. Marks are replaced, never altered. */
export class Marks extends EventTarget {
  constructor() {
    super();
    /** @type {Map<string, Mark>} */
    this.byUid = new Map();
    /** @type {Map<string, Mark>} As the server last said. */
    this.stored = new Map();
    /** @type {string|null} */
    this.selectedUid = null;
  }

  /** @param {Mark[]} marks Of another visit, or of this one afresh. */
  reset(marks) {
    this.byUid = new Map(marks.map((mark) => [mark.uid, mark]));
    this.stored = new Map(this.byUid);
    this.selectedUid = null;
    this.#changed();
  }

  /** @returns {Mark[]} Not deleted, largest first. */
  standing() {
    return [...this.byUid.values()].filter((mark) => !mark.deleted).sort((a, b) => b.diameter_m - a.diameter_m);
  }

  /** @returns {Mark|null} */
  get selected() {
    const mark = this.selectedUid === null ? undefined : this.byUid.get(this.selectedUid);
    return mark && !mark.deleted ? mark : null;
  }

  /** @param {string|null} uid */
  select(uid) {
    if (uid !== this.selectedUid) {
      this.selectedUid = uid;
      this.#changed();
    }
  }

  /** @param {Mark} mark */
  put(mark) {
    this.byUid.set(mark.uid, mark);
    this.#changed();
  }

  /** @param {string} uid @param {Partial<Mark>} patch */
  patch(uid, patch) {
    const mark = this.byUid.get(uid);
    if (mark) {
      this.put({ ...mark, ...patch });
    }
  }

  /**
   * @param {Mark} mark As the server has it now.
   * @param {boolean} isCurrent Nothing newer is on its way: show it as it is stored.
   */
  accept(mark, isCurrent) {
    const shown = this.byUid.get(mark.uid);
    this.stored.set(mark.uid, mark);
    if (isCurrent || !shown) {
      this.byUid.set(mark.uid, mark);
    } else {
      this.byUid.set(mark.uid, { ...shown, version: mark.version });
    }
    this.#changed();
  }

  /** @param {import("tektite/lib/save_queue").Save[]} saves Show what an earlier page could not save any more. */
  replay(saves) {
    for (const { mark: uid, kind, body } of saves) {
      if (kind === "draw" && !this.byUid.has(uid)) {
        this.byUid.set(uid, { uid, version: 0, rim_points: null, uncertain: false, deleted: false, ...body });
      }
      const known = this.byUid.get(uid);
      if (known) {
        const deleted = kind === "delete" || (kind !== "restore" && known.deleted);
        this.byUid.set(uid, { ...known, ...(kind === "change" ? body : {}), deleted });
      }
    }
    this.#changed();
  }

  /** @param {string} uid Go back to what the server has; to nothing if it has nothing. */
  giveUp(uid) {
    const stored = this.stored.get(uid);
    if (stored) {
      this.byUid.set(uid, stored);
    } else {
      this.byUid.delete(uid);
    }
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
