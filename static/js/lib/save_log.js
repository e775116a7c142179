/**
 * Where saves wait: in the browser's database, which all tabs share and which outlives them, or, where that is full or
 * forbidden, in this page alone.
 *
 * Both do one thing: take the saves of one person in one campaign, in the order in which they were made, let a step
 * say what becomes of them, and keep that, all or nothing. What `revise` has answered is kept.
 *
 * @typedef {import("tektite/lib/save_steps").Save} Save
 * @typedef {import("tektite/lib/save_steps").Step} Step
 * @typedef {{saves: Save[], value: any}} Revised All saves as they are now, and the step's own answer.
 */

const byOrder = (a, b) => a.seq - b.seq;

/** @param {Save[]} saves @param {{put?: Save[], drop?: Save[]}} change @returns {Save[]} */
function changed(saves, { put = [], drop = [] }) {
  const gone = new Set([...put, ...drop].map(({ seq }) => seq));
  return [...saves.filter(({ seq }) => !gone.has(seq)), ...put].sort(byOrder);
}

export class SaveLog {
  isDurable = true;

  /**
   * @param {object} needs
   * @param {import("tektite/lib/database").Database} needs.database
   * @param {string} needs.participant Whose saves; nobody else's are ever read.
   * @param {string} needs.campaign
   * @param {"saves"|"answers"} [needs.store] What is kept: marks, or answers to pictures.
   */
  constructor({ database, participant, campaign, store = "saves" }) {
    Object.assign(this, { database, participant, campaign, storeName: store });
  }

  /**
   * @param {Step} step
   * @param {"strict"|"relaxed"} [durability] Strict: on the disk, not only with the operating system.
   * @returns {Promise<Revised>} Rejected when nothing of it was kept.
   */
  async revise(step, durability = "relaxed") {
    const { participant, campaign, storeName } = this;
    const db = await this.database.open();
    const transaction = db.transaction(storeName, "readwrite", { durability });
    const { store } = transaction;
    const work = async () => {
      const saves = await store.index("owner").getAll([participant, campaign]);
      const { put = [], drop = [], value } = step(saves);
      const whole = put.map((save) => ({ ...save, participant, campaign }));
      // A new one gets its place in the order here, so that no clock is asked.
      const place = async (save) => Object.assign(save, { seq: await store.put(save) });
      await Promise.all([...whole.map(place), ...drop.map(({ seq }) => store.delete(seq))]);
      return { saves: changed(saves, { put: whole, drop }), value };
    };
    const [revised] = await Promise.all([work(), transaction.done]);
    return revised;
  }
}

export class MemoryLog {
  isDurable = false;

  /**
   * @param {Save[]} saves Known when the database failed.
   * @param {SaveLog|null} behind The log that failed; what is done is taken out of it where that still works.
   */
  constructor(saves, behind) {
    this.behind = behind;
    this.saves = saves;
    this.known = new Set(saves.map(({ id }) => id));
  }

  /** @param {Step} step @returns {Promise<Revised>} */
  async revise(step) {
    const { put = [], drop = [], value } = step(this.saves);
    let last = this.saves.at(-1)?.seq ?? 0;
    const whole = put.map((save) => (save.seq === undefined ? { ...save, seq: (last += 1) } : save));
    this.saves = changed(this.saves, { put: whole, drop });
    const done = drop.filter(({ id }) => this.known.has(id));
    if (done.length && this.behind) {
      const ids = new Set(done.map(({ id }) => id));
      this.behind.revise((saves) => ({ drop: saves.filter(({ id }) => ids.has(id)) })).catch(() => {});
    }
    return { saves: this.saves, value };
  }
}
