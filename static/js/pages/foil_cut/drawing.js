/** The outline that is being drawn, and every step of it that can be undone. */

/**
 * @typedef {import("tektite/geo/outline").Point} Point
 *
 * @typedef {object} State
 * @property {Point[]} points In the picture's pixels.
 * @property {boolean} isClosed
 * @property {number} chosen Which point, −1 for none.
 * @property {string|null} mends The uid of the cut-out that this one is to replace.
 */

import { LEAST_POINTS } from "tektite/geo/outline";

/** @type {State} */
const NOTHING = { points: [], isClosed: false, chosen: -1, mends: null };
const STEPS_KEPT = 300;

/** Emits "change". */
export class Drawing extends EventTarget {
  constructor() {
    super();
    /** @type {State} */
    this.state = NOTHING;
    /** @type {State[]} */
    this.before = [];
    /** @type {State[]} */
    this.after = [];
  }

  get points() {
    return this.state.points;
  }

  get isClosed() {
    return this.state.isClosed;
  }

  get isEmpty() {
    return !this.state.points.length;
  }

  /** @param {Point} point Goes on from the last one. */
  add(point) {
    if (!this.isClosed) {
      this.#step({ points: [...this.points, point], chosen: this.points.length });
    }
  }

  /** @returns {boolean} Whether it is closed now. */
  close() {
    if (!this.isClosed && this.points.length >= LEAST_POINTS) {
      this.#step({ isClosed: true, chosen: -1 });
    }
    return this.isClosed;
  }

  /** @param {number} edge Behind which point. @param {Point} point */
  insert(edge, point) {
    const points = [...this.points.slice(0, edge + 1), point, ...this.points.slice(edge + 1)];
    this.#step({ points, chosen: edge + 1 });
  }

  /** @param {number} index Is moved from now on, in one step. */
  grab(index) {
    this.#step({ chosen: index });
  }

  /** @param {number} index @param {Point} point Without a step of its own: see grab. */
  move(index, point) {
    const points = this.points.map((one, at) => (at === index ? point : one));
    this.#become({ ...this.state, points, chosen: index });
  }

  /** @param {number} index −1 for none; no step. */
  choose(index) {
    this.#become({ ...this.state, chosen: index });
  }

  /** @param {number} by To the next points or back, round and round. */
  chooseNext(by) {
    const n = this.points.length;
    if (n) {
      const { chosen } = this.state;
      this.choose(chosen < 0 ? (by > 0 ? 0 : n - 1) : (chosen + by + n) % n);
    }
  }

  /** The chosen point goes, or the last one. An outline of too few points is open again. */
  remove() {
    const { points, chosen } = this.state;
    if (!points.length) {
      return;
    }
    const index = chosen >= 0 ? chosen : points.length - 1;
    const left = points.filter((_, at) => at !== index);
    this.#step({
      points: left,
      isClosed: this.isClosed && left.length >= LEAST_POINTS,
      chosen: Math.min(index, left.length - 1),
    });
  }

  /** @param {Point[]} points Closed. @param {string|null} [mends] */
  load(points, mends = null) {
    this.#step({ points, isClosed: true, chosen: -1, mends });
  }

  /** All of it goes; undone, it is back. */
  abandon() {
    if (!this.isEmpty) {
      this.#step(NOTHING);
    }
  }

  /** It is kept elsewhere: nothing of it can be undone here. */
  clear() {
    this.before = [];
    this.after = [];
    this.#become(NOTHING);
  }

  /** @returns {boolean} Whether there was anything to undo. */
  undo() {
    return this.#go(this.before, this.after);
  }

  redo() {
    return this.#go(this.after, this.before);
  }

  #step(changes) {
    this.before = [...this.before, this.state].slice(-STEPS_KEPT);
    this.after = [];
    this.#become({ ...this.state, ...changes });
  }

  #go(from, to) {
    const state = from.pop();
    if (!state) {
      return false;
    }
    to.push(this.state);
    this.#become(state);
    return true;
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}
