/** What the outline would cut out, as it is drawn: alone, and on the middle of a blank picture. */

import { alphaOf } from "tektite/geo/alpha";
import { boxOf } from "tektite/geo/outline";

/** @typedef {import("tektite/geo/outline").Point} Point */

// As trainings look at a crater's surroundings: mlcore/foil_classifier/pasting.py.
const LEAST_MARGIN_PX = 6;
const MARGIN = 0.15;
// A large outline is shown smaller: it is drawn anew with each movement of a point.
const LARGEST_PX = 480;

export class Preview {
  /**
   * @param {object} needs
   * @param {HTMLCanvasElement} needs.alone
   * @param {HTMLCanvasElement} needs.pasted
   * @param {HTMLImageElement|null} needs.blank Unpacked; null where there is none.
   */
  constructor({ alone, pasted, blank }) {
    Object.assign(this, { alone, pasted, blank });
    this.request = 0;
  }

  /** @param {HTMLImageElement} image @param {{width: number, height: number}} size @param {Point[]} points */
  show(image, size, points) {
    cancelAnimationFrame(this.request);
    this.request = requestAnimationFrame(() => this.#draw(image, size, points));
  }

  #draw(image, size, points) {
    const box = around(boxOf(points), size);
    const scale = Math.min(1, LARGEST_PX / Math.max(box.width, box.height));
    const shown = { width: Math.ceil(scale * box.width), height: Math.ceil(scale * box.height) };
    const inside = points.map(({ x, y }) => ({ x: scale * (x - box.left), y: scale * (y - box.top) }));
    const alpha = alphaOf(inside, shown.width, shown.height);
    const crater = greyOf(image, box, shown);
    paint(this.alone, shown, (at) => [crater[at], alpha[at]]);
    if (this.blank) {
      const ground = greyOf(this.blank, middleOf(this.blank, box), shown);
      const brighter = mean(ground, () => true) / Math.max(1, mean(crater, (at) => alpha[at] === 0));
      paint(this.pasted, shown, (at) => {
        const share = alpha[at] / 255;
        return [share * crater[at] * brighter + (1 - share) * ground[at], 255];
      });
    }
  }
}

/** Whole pixels with a margin, inside of the picture. */
function around({ left, top, width, height }, size) {
  const margin = Math.max(LEAST_MARGIN_PX, MARGIN * Math.max(width, height));
  const [west, north] = [Math.max(0, Math.floor(left - margin)), Math.max(0, Math.floor(top - margin))];
  const [east, south] = [Math.ceil(left + width + margin), Math.ceil(top + height + margin)];
  return { left: west, top: north, width: Math.min(size.width, east) - west, height: Math.min(size.height, south) - north };
}

function middleOf(image, { width, height }) {
  const start = (whole, part) => Math.max(0, Math.floor((whole - part) / 2));
  return { left: start(image.naturalWidth, width), top: start(image.naturalHeight, height), width, height };
}

/** @returns {Uint8ClampedArray} Of the box, in the size in which it is shown, row by row. */
function greyOf(image, box, { width, height }) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, box.left, box.top, box.width, box.height, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  return Uint8ClampedArray.from({ length: width * height }, (_, at) => data[4 * at]);
}

function paint(canvas, { width, height }, pixel) {
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const painted = context.createImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    const [grey, alpha] = pixel(at);
    painted.data.set([grey, grey, grey, alpha], 4 * at);
  }
  context.putImageData(painted, 0, 0);
}

function mean(values, counts) {
  let [sum, n] = [0, 0];
  values.forEach((value, at) => {
    if (counts(at)) {
      sum += value;
      n += 1;
    }
  });
  return n ? sum / n : 0;
}
