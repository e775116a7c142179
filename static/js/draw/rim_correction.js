/** Correcting a proposed rim on its cut-out: drag the centre, drag the rim, or use the keys. */

import { CutoutFrame } from "tektite/geo/cutout";
import { ring } from "tektite/geo/ring";
import { svg, pathThrough } from "tektite/lib/svg";

/** @typedef {{lon: number, lat: number, diameter_m: number}} Circle */

// A finger or cursor this near to the centre, as a share of the rim's radius, moves the crater.
const CENTER_SHARE = 0.45;
const SMALLEST_PX = 4;

export class RimCorrection {
  /**
   * @param {SVGSVGElement} canvas
   * @param {number} radiusM Of the body.
   * @param {(circle: Circle) => void} onChange
   */
  constructor(canvas, radiusM, onChange) {
    this.canvas = canvas;
    this.radiusM = radiusM;
    this.onChange = onChange;
    this.active = false;
    this.drag = null;
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", () => (this.drag = null));
    canvas.addEventListener("pointercancel", () => (this.drag = null));
  }

  /**
   * @param {Circle} proposed
   * @param {{size_px: number, ring: [number, number][]}} cutout
   */
  show(proposed, cutout) {
    this.frame = new CutoutFrame([proposed.lon, proposed.lat], proposed.diameter_m, cutout.ring, this.radiusM);
    this.sizePx = cutout.size_px;
    this.proposed = proposed;
    this.canvas.setAttribute("viewBox", `0 0 ${cutout.size_px} ${cutout.size_px}`);
    this.stop();
  }

  /** Begin to correct. */
  start() {
    this.active = true;
    this.canvas.parentElement.classList.add("correcting");
    this.#draw();
  }

  /** Back to the proposed rim. */
  stop() {
    this.active = false;
    this.circle = this.proposed;
    this.canvas.parentElement.classList.remove("correcting");
    this.#draw();
  }

  /** @param {number} factor Of the diameter. */
  scale(factor) {
    this.#change({ ...this.circle, diameter_m: this.circle.diameter_m * factor });
  }

  /** @param {number} dx Screen steps to the right. @param {number} dy Downwards. */
  nudge(dx, dy) {
    const [x, y] = this.frame.px([this.circle.lon, this.circle.lat]);
    const step = this.sizePx / 300;
    this.#moveTo([x + dx * step, y + dy * step]);
  }

  #press(event) {
    if (!this.active || !event.isPrimary) {
      return;
    }
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.#pxOf(event);
    const center = this.frame.px([this.circle.lon, this.circle.lat]);
    const distance = Math.hypot(at[0] - center[0], at[1] - center[1]);
    const rimPx = (this.circle.diameter_m / 2) * this.frame.pxPerM;
    this.drag = distance < rimPx * CENTER_SHARE ? { offset: [center[0] - at[0], center[1] - at[1]] } : { rim: true };
  }

  #move(event) {
    if (!this.drag || !this.active) {
      return;
    }
    const [x, y] = this.#pxOf(event);
    if (this.drag.rim) {
      const center = this.frame.px([this.circle.lon, this.circle.lat]);
      const rimPx = Math.max(Math.hypot(x - center[0], y - center[1]), SMALLEST_PX);
      this.#change({ ...this.circle, diameter_m: (2 * rimPx) / this.frame.pxPerM });
    } else {
      this.#moveTo([x + this.drag.offset[0], y + this.drag.offset[1]]);
    }
  }

  #moveTo(px) {
    const inside = px.map((value) => Math.min(Math.max(value, 0), this.sizePx));
    const [lon, lat] = this.frame.lonLat(/** @type {[number, number]} */ (inside));
    this.#change({ ...this.circle, lon, lat });
  }

  #change(circle) {
    this.circle = circle;
    this.#draw();
    this.onChange(circle);
  }

  #pxOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.sizePx, ((event.clientY - box.top) / box.height) * this.sizePx];
  }

  #draw() {
    const center = [this.circle.lon, this.circle.lat];
    const points = ring(center, this.circle.diameter_m, this.radiusM).map((place) => this.frame.px(place));
    const d = pathThrough(points, true);
    const [x, y] = this.frame.px(center);
    const handle = { class: "handle", r: this.sizePx / 90 };
    this.canvas.replaceChildren(
      svg("path", { class: "casing", d }),
      svg("path", { class: "rim", d }),
      svg("circle", { ...handle, cx: x, cy: y }),
      ...[0, 18, 36, 54].map((i) => svg("circle", { ...handle, cx: points[i][0], cy: points[i][1] })),
    );
  }
}
