/** The picture on the screen: looked at closely, marked by taps or by a cross that the arrows move. */

import * as views from "tektite/geo/picture_view";
import { find } from "tektite/lib/dom";
import { svg } from "tektite/lib/svg";
import { firstFrame } from "tektite/pages/triage/pictures";
import { Touches } from "tektite/pages/triage/touches";

/**
 * @typedef {import("tektite/pages/triage/deck").Showing} Showing
 * @typedef {{x_px: number, y_px: number}} Mark
 * @typedef {{x_px: number, y_px: number, diameter_um: number|null}} Place Where something known is.
 * @typedef {import("tektite/geo/picture_view").Point} Point In pixels of the picture, or of the box.
 */

export const MOST_MARKS = 20;
const RING_PX = 22;
const LEAST_PLACE_PX = 14;
const SCALE_BAR_PX = 110;
const STEP_PX = 6;
const LONG_STEP_PX = 18;
// So far enlarged, pixels are seen for what they are.
const SHARP_FROM = 4;

/** Emits "marks" when the person has changed them, and "full" when there is no room for another. */
export class Foil extends EventTarget {
  /** @param {HTMLElement} element */
  constructor(element) {
    super();
    this.element = element;
    this.sheet = find("#foil-sheet", element);
    this.canvas = find("#foil-marks", element);
    this.bar = find("#foil-scale", element);
    /** @type {Showing|null} */
    this.showing = null;
    /** @type {import("tektite/geo/picture_view").PictureView|null} */
    this.view = null;
    /** @type {Mark[]} */
    this.marks = [];
    /** @type {{places: Place[], isCrater: boolean}|null} What is known of it: then it is only looked at. */
    this.known = null;
    /** @type {Point|null} */
    this.cross = null;
    this.frame = 0;
    this.images = [];
    new ResizeObserver(() => this.#fit()).observe(element);
    new Touches(element, {
      grab: (spot, reach) => this.#grab(spot, reach),
      dragMark: (index, spot) => this.#move(index, spot),
      pan: (dx, dy) => this.#look(views.moved(this.view, dx, dy)),
      zoom: (factor, spot) => this.#look(views.zoomed(this.view, factor, spot)),
      tap: (spot, reach) => this.#tap(spot, reach),
      isReady: () => this.view !== null,
    });
  }

  /**
   * @param {Showing} showing
   * @param {HTMLImageElement[]} images One for each frame, the first to be seen unpacked.
   * @param {Mark[]} marks
   * @param {{places: Place[], isCrater: boolean}|null} [known]
   */
  show(showing, images, marks, known = null) {
    const isSame = this.showing?.uid === showing.uid;
    Object.assign(this, { showing, images, marks, known, cross: null });
    this.element.dataset.showing = showing.uid;
    if (!isSame || !this.view) {
      this.view = views.wholeIn(this.#size(), this.#box());
      this.frame = firstFrame(showing);
    }
    this.sheet.replaceChildren(images[this.frame]);
    this.#draw();
  }

  /** Nothing to look at. */
  clear() {
    Object.assign(this, { showing: null, view: null, marks: [], known: null, cross: null });
    delete this.element.dataset.showing;
    this.sheet.replaceChildren();
    this.canvas.replaceChildren();
    this.bar.hidden = true;
  }

  /** @param {number} frame Of the focus series. */
  chooseFrame(frame) {
    this.frame = frame;
    this.sheet.replaceChildren(this.images[frame]);
    this.#draw();
  }

  /** @param {number} factor About the cross, or the middle. */
  zoom(factor) {
    if (this.view) {
      this.#look(views.zoomed(this.view, factor, this.cross ? views.toBox(this.view, this.cross) : undefined));
    }
  }

  /** All of it again. */
  whole() {
    if (this.view) {
      this.#look(views.wholeIn(this.#size(), this.#box()));
    }
  }

  /** @param {number} dx Of the box's size. @param {number} dy */
  pan(dx, dy) {
    if (this.view) {
      this.#look(views.moved(this.view, dx * this.view.boxWidth, dy * this.view.boxHeight));
    }
  }

  /** @param {number} dx −1, 0 or 1. @param {number} dy @param {boolean} isLong */
  moveCross(dx, dy, isLong) {
    if (!this.view || this.known) {
      return;
    }
    const middle = views.toPicture(this.view, { x: this.view.boxWidth / 2, y: this.view.boxHeight / 2 });
    const step = (isLong ? LONG_STEP_PX : STEP_PX) / this.view.scale;
    const { x, y } = this.cross ?? middle;
    this.cross = this.cross ? views.into(this.view, { x: x + dx * step, y: y + dy * step }) : middle;
    this.#look(views.showing(this.view, this.cross));
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

  #size() {
    return { width: this.showing.width_px, height: this.showing.height_px };
  }

  #box() {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  #fit() {
    const box = this.#box();
    if (this.view && box.width && box.height) {
      this.#look(views.resized(this.view, box));
    }
  }

  #look(view) {
    this.view = view;
    this.#draw();
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
    this.#draw();
    this.dispatchEvent(new Event("marks"));
  }

  #draw() {
    const { view } = this;
    if (!view) {
      return;
    }
    const image = this.images[this.frame];
    image.style.transform = `translate(${view.left}px, ${view.top}px) scale(${view.scale})`;
    image.classList.toggle("sharp", view.scale >= SHARP_FROM);
    this.canvas.setAttribute("viewBox", `0 0 ${view.boxWidth} ${view.boxHeight}`);
    this.canvas.replaceChildren(
      ...(this.known?.places ?? []).flatMap((place) => this.#placeRing(place)),
      ...this.marks.flatMap((mark) => ring("mine", views.toBox(view, pointOf(mark)), RING_PX)),
      ...(this.cross ? crossAt(views.toBox(view, this.cross)) : []),
    );
    this.element.classList.toggle("enlarged", !views.isWhole(view));
    this.#drawBar();
  }

  #placeRing({ x_px: x, y_px: y, diameter_um: diameter }) {
    const nm = this.showing.nm_per_px;
    const radius = diameter && nm ? (diameter * 1000) / nm / 2 : 0;
    const kind = this.known.isCrater ? "place" : "place is-not";
    return ring(kind, views.toBox(this.view, { x, y }), Math.max(LEAST_PLACE_PX, 1.3 * radius * this.view.scale));
  }

  #drawBar() {
    const nm = this.showing.nm_per_px;
    this.bar.hidden = !nm;
    if (nm) {
      const { widthPx, label } = views.lengthBar(nm, this.view.scale, SCALE_BAR_PX);
      find("i", this.bar).style.width = `${widthPx}px`;
      find("span", this.bar).textContent = label;
    }
  }
}

const pointOf = ({ x_px: x, y_px: y }) => ({ x, y });
const markOf = ({ x, y }) => ({ x_px: Math.round(x * 100) / 100, y_px: Math.round(y * 100) / 100 });

/** Open in the middle, so that it hides nothing of what it marks. */
function ring(kind, { x, y }, r) {
  const circle = { cx: x, cy: y, r };
  return [svg("circle", { class: "casing", ...circle }), svg("circle", { class: kind, ...circle })];
}

function crossAt({ x, y }) {
  const d = `M${x - 18} ${y}h12M${x + 6} ${y}h12M${x} ${y - 18}v12M${x} ${y + 6}v12`;
  return [svg("path", { class: "casing", d }), svg("path", { class: "cross", d })];
}
