/** What is cut out of the picture: kept, on its way to the server, withdrawn. */

import { AnswerQueue } from "tektite/lib/answer_queue";
import { ApiError, ask } from "tektite/lib/api";
import { SaveLog } from "tektite/lib/save_log";
import { Tabs } from "tektite/lib/tabs";
import { newUid } from "tektite/lib/uid";

/**
 * @typedef {object} CutOut As the server tells it; of one on its way there is no url.
 * @property {string} uid
 * @property {number} frame
 * @property {[number, number][]} polygon
 * @property {number} diameter_px
 * @property {string|null} by
 * @property {string} at
 * @property {string|null} withdrawn_at
 * @property {string} [url]
 * @property {string} [withdraw_url]
 * @property {string} [restore_url]
 */

/** Emits "change", "kept" with a cut-out that the server has now, and "refused" with the server's sentence. */
export class Cuts extends EventTarget {
  /**
   * @param {object} config Of the page.
   * @param {import("tektite/lib/database").Database} database
   */
  constructor(config, database) {
    super();
    this.config = config;
    /** @type {Map<string, CutOut>} */
    this.byUid = new Map(config.cut_outs.map((cut) => [cut.uid, cut]));
    const { participant, picture } = config;
    // Under its maker's uid the server takes each once, whichever page or tab sends it.
    this.queue = new AnswerQueue({
      log: new SaveLog({ database, participant, campaign: picture.uid, store: "answers" }),
      tabs: new Tabs(`tektite cut-outs ${participant} ${picture.uid}`),
      send: ({ url, body }) => ask("POST", url, body),
      onTaken: (change, said) => this.#taken(change, said),
      onRefused: (change, error) => this.#refused(change, error),
    });
  }

  /** What earlier pages have kept in the browser is sent now. */
  async open() {
    await this.queue.open();
    await this.#look();
    for (const change of this.queue.waiting) {
      this.#show(change);
    }
    this.queue.addEventListener("change", () => this.#changed());
    this.#changed();
    this.queue.resume();
  }

  /** @returns {CutOut[]} */
  get standing() {
    return [...this.byUid.values()].filter((cut) => !cut.withdrawn_at);
  }

  /** @returns {CutOut[]} */
  get withdrawn() {
    return [...this.byUid.values()].filter((cut) => cut.withdrawn_at);
  }

  /**
   * @param {import("tektite/geo/outline").Point[]} points
   * @param {number} frame
   * @param {number} diameterPx
   * @param {string|null} mends
   */
  cut(points, frame, diameterPx, mends) {
    const uid = newUid();
    const polygon = points.map(({ x, y }) => [x, y]);
    this.#send({ kind: "cut", diameter_px: diameterPx, url: this.config.urls.cut_outs, body: { uid, frame, polygon, mends } }, uid);
  }

  /** @param {CutOut} cut */
  withdraw(cut) {
    this.#send({ kind: "withdraw", of: cut.uid, url: cut.withdraw_url, body: {} });
  }

  /** @param {CutOut} cut */
  restore(cut) {
    this.#send({ kind: "restore", of: cut.uid, url: cut.restore_url, body: {} });
  }

  /** What the page before this one sent while this one was made is not in its config. */
  async #look() {
    try {
      const { cut_outs: found } = await ask("GET", this.config.urls.cut_outs);
      found.forEach((cut) => this.byUid.set(cut.uid, cut));
    } catch (error) {
      if (!(error instanceof ApiError)) {
        throw error;
      }
    }
  }

  #send(change, uid = newUid()) {
    const whole = { ...change, id: uid, uid };
    this.#show(whole);
    this.queue.add(whole);
    this.#changed();
  }

  /** As it will be. */
  #show({ kind, of, body, diameter_px: diameterPx }) {
    if (kind === "cut") {
      const { uid, frame, polygon, mends } = body;
      this.byUid.set(uid, { uid, frame, polygon, diameter_px: diameterPx, by: null, at: "", withdrawn_at: null });
      this.#turn(mends, true);
    } else {
      this.#turn(of, kind === "withdraw");
    }
  }

  #turn(uid, isWithdrawn) {
    const cut = this.byUid.get(uid);
    if (cut) {
      this.byUid.set(uid, { ...cut, withdrawn_at: isWithdrawn ? (cut.withdrawn_at ?? "now") : null });
    }
  }

  #taken({ kind, body }, said) {
    this.byUid.set(said.uid, said);
    this.#changed();
    if (kind === "cut") {
      this.dispatchEvent(new CustomEvent("kept", { detail: { cut: said, mends: body.mends } }));
    }
  }

  /** It is not as it was shown. */
  #refused({ kind, of, body }, error) {
    if (kind === "cut") {
      this.byUid.delete(body.uid);
      this.#turn(body.mends, false);
    } else {
      this.#turn(of, kind === "restore");
    }
    this.#changed();
    this.dispatchEvent(new CustomEvent("refused", { detail: error.message }));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
