/** The picture on the screen: looked at closely, marked by taps or by a cross that the arrows move. */

import * as views from "tektite/geo/picture_view";
import { svg } from "tektite/lib/svg";
import { PictureStage } from "tektite/pages/picture_stage";
import { firstFrame } from "tektite/pages/triage/pictures";
import { Touches } from "tektite/pages/triage/touches";

/**
 * @typedef {import("tektite/pages/triage/deck").Showing} Showing
 * @typedef {{x_px: number, y_px: number}} Mark
 * @typedef {{x_px: number, y_px: number, diameter_um: number|null}} Place Where something known is.
 */

export const MOST_MARKS = 20;
const RING_PX = 22;
const LEAST_PLACE_PX = 14;

/** Emits "marks" when the person has changed them, and "full" when there is no room for another. */
export class Foil extends PictureStage {
  /** @param {HTMLElement} element */
  constructor(element) {
    super(element);
    /** @type {Mark[]} */
    this.marks = [];
    /** @type {{places: Place[], isCrater: boolean}|null} What is known of it: then it is only looked at. */
    this.known = null;
    new Touches(element, {
      grab: (spot, reach) => this.#grab(spot, reach),
      dragMark: (index, spot) => this.#move(index, spot),
      pan: (dx, dy) => this.look(views.moved(this.view, dx, dy)),
      zoom: (factor, spot) => this.look(views.zoomed(this.view, factor, spot)),
      tap: (spot, reach) => this.#tap(spot, reach),
      isReady: () => this.view !== null,
    });
  }

  /** @returns {Showing|null} */
  get showing() {
    return this.picture;
  }

  /**
   * @param {Showing} showing
   * @param {HTMLImageElement[]} images One for each frame, the first to be seen unpacked.
   * @param {Mark[]} marks
   * @param {{places: Place[], isCrater: boolean}|null} [known]
   */
  show(showing, images, marks, known = null) {
    const isSame = this.showing?.uid === showing.uid;
    Object.assign(this, { picture: showing, images, marks, known, cross: null });
    this.element.dataset.showing = showing.uid;
    if (!isSame || !this.view) {
      this.view = views.wholeIn(this.size, this.box);
      this.frame = firstFrame(showing);
    }
    this.sheet.replaceChildren(images[this.frame]);
    this.draw();
  }

  /** Nothing to look at. */
  clear() {
    Object.assign(this, { picture: null, view: null, marks: [], known: null, cross: null });
    delete this.element.dataset.showing;
    this.sheet.replaceChildren();
    this.canvas.replaceChildren();
    this.bar.hidden = true;
  }

  /** @param {number} dx −1, 0 or 1. @param {number} dy @param {boolean} isLong */
  moveCross(dx, dy, isLong) {
    if (!this.known) {
      super.moveCross(dx, dy, isLong);
    }
  }

  /** A mark where the cross is, or none any more. @returns {boolean} Whether there is a cross. */
  markCross() {
    if (!this.cross || this.known) {
      return false;
    }
    this.#mark(views.toBox(this.view, this.cross), RING_PX);
    return true;
  }

  /** No marks. */
  unmark() {
    this.#set([]);
  }

  /** @returns {SVGElement[]} */
  shapes() {
    return [
      ...(this.known?.places ?? []).flatMap((place) => this.#placeRing(place)),
      ...this.marks.flatMap((mark) => ring("mine", views.toBox(this.view, pointOf(mark)), RING_PX)),
    ];
  }

  #grab(spot, reach) {
    return this.known ? -1 : views.markAt(this.marks.map(pointOf), this.view, spot, reach);
  }

  #tap(spot, reach) {
    this.cross = null;
    this.#mark(spot, reach);
  }

  #mark(spot, reach) {
    const pixel = views.toPicture(this.view, spot);
    if (this.known || !views.isInside(this.view, pixel)) {
      return;
    }
    const there = views.markAt(this.marks.map(pointOf), this.view, spot, reach);
    if (there < 0 && this.marks.length >= MOST_MARKS) {
      this.dispatchEvent(new Event("full"));
      return;
    }
    this.#set(there < 0 ? [...this.marks, markOf(pixel)] : this.marks.filter((_, index) => index !== there));
  }

  #move(index, spot) {
    const pixel = views.into(this.view, views.toPicture(this.view, spot));
    this.#set(this.marks.map((mark, other) => (other === index ? markOf(pixel) : mark)));
  }

  #set(marks) {
    this.marks = marks;
    this.draw();
    this.dispatchEvent(new Event("marks"));
  }

  #placeRing({ x_px: x, y_px: y, diameter_um: diameter }) {
    const nm = this.showing.nm_per_px;
    const radius = diameter && nm ? (diameter * 1000) / nm / 2 : 0;
    const kind = this.known.isCrater ? "place" : "place is-not";
    return ring(kind, views.toBox(this.view, { x, y }), Math.max(LEAST_PLACE_PX, 1.3 * radius * this.view.scale));
  }
}

const pointOf = ({ x_px: x, y_px: y }) => ({ x, y });
const markOf = ({ x, y }) => ({ x_px: Math.round(x * 100) / 100, y_px: Math.round(y * 100) / 100 });

/** Open in the middle, so that it hides nothing of what it marks. */
function ring(kind, { x, y }, r) {
  const circle = { cx: x, cy: y, r };
  return [svg("circle", { class: "casing", ...circle }), svg("circle", { class: kind, ...circle })];
}
