/** A picture on the screen that is looked at closely: enlarged, moved, its frames turned, a cross that the arrows move. */

import * as views from "tektite/geo/picture_view";
import { find } from "tektite/lib/dom";
import { svg } from "tektite/lib/svg";

/**
 * @typedef {import("tektite/geo/picture_view").Point} Point In pixels of the picture, or of the box.
 * @typedef {{width_px: number, height_px: number, nm_per_px: number|null}} Pictured
 */

const SCALE_BAR_PX = 110;
const STEP_PX = 6;
const LONG_STEP_PX = 18;
// So far enlarged, pixels are seen for what they are.
const SHARP_FROM = 4;

/** Its heirs say by `shapes()` what is drawn over the picture. */
export class PictureStage extends EventTarget {
  /** @param {HTMLElement} element */
  constructor(element) {
    super();
    this.element = element;
    this.sheet = find("#foil-sheet", element);
    this.canvas = find("#foil-marks", element);
    this.bar = find("#foil-scale", element);
    /** @type {Pictured|null} */
    this.picture = null;
    /** @type {import("tektite/geo/picture_view").PictureView|null} */
    this.view = null;
    /** @type {Point|null} */
    this.cross = null;
    this.frame = 0;
    /** @type {HTMLImageElement[]} One for each frame. */
    this.images = [];
    new ResizeObserver(() => this.#fit()).observe(element);
  }

  /** @param {number} frame Of the focus series. */
  chooseFrame(frame) {
    this.frame = frame;
    this.sheet.replaceChildren(this.images[frame]);
    this.draw();
  }

  /** @param {number} factor About the cross, or the middle. */
  zoom(factor) {
    if (this.view) {
      this.look(views.zoomed(this.view, factor, this.cross ? views.toBox(this.view, this.cross) : undefined));
    }
  }

  /** All of it again. */
  whole() {
    if (this.view) {
      this.look(views.wholeIn(this.size, this.box));
    }
  }

  /** @param {number} dx Of the box's size. @param {number} dy */
  pan(dx, dy) {
    if (this.view) {
      this.look(views.moved(this.view, dx * this.view.boxWidth, dy * this.view.boxHeight));
    }
  }

  /** @param {number} dx −1, 0 or 1. @param {number} dy @param {boolean} isLong */
  moveCross(dx, dy, isLong) {
    if (!this.view) {
      return;
    }
    const middle = views.toPicture(this.view, { x: this.view.boxWidth / 2, y: this.view.boxHeight / 2 });
    const step = (isLong ? LONG_STEP_PX : STEP_PX) / this.view.scale;
    const { x, y } = this.cross ?? middle;
    this.cross = this.cross ? views.into(this.view, { x: x + dx * step, y: y + dy * step }) : middle;
    this.look(views.showing(this.view, this.cross));
  }

  get size() {
    return { width: this.picture.width_px, height: this.picture.height_px };
  }

  get box() {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  /** @param {import("tektite/geo/picture_view").PictureView} view */
  look(view) {
    this.view = view;
    this.draw();
  }

  draw() {
    const { view } = this;
    if (!view) {
      return;
    }
    const image = this.images[this.frame];
    image.style.transform = `translate(${view.left}px, ${view.top}px) scale(${view.scale})`;
    image.classList.toggle("sharp", view.scale >= SHARP_FROM);
    this.canvas.setAttribute("viewBox", `0 0 ${view.boxWidth} ${view.boxHeight}`);
    this.canvas.replaceChildren(...this.shapes(), ...(this.cross ? crossAt(views.toBox(view, this.cross)) : []));
    this.element.classList.toggle("enlarged", !views.isWhole(view));
    this.#drawBar();
  }

  #fit() {
    const { box } = this;
    if (this.view && box.width && box.height) {
      this.look(views.resized(this.view, box));
    }
  }

  #drawBar() {
    const nm = this.picture.nm_per_px;
    this.bar.hidden = !nm;
    if (nm) {
      const { widthPx, label } = views.lengthBar(nm, this.view.scale, SCALE_BAR_PX);
      find("i", this.bar).style.width = `${widthPx}px`;
      find("span", this.bar).textContent = label;
    }
  }
}

function crossAt({ x, y }) {
  const d = `M${x - 18} ${y}h12M${x + 6} ${y}h12M${x} ${y - 18}v12M${x} ${y + 6}v12`;
  return [svg("path", { class: "casing", d }), svg("path", { class: "cross", d })];
}
