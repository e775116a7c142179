/** Crater rims on the map: painted on one canvas, and found again under the pointer. */

import { ring } from "tektite/geo/ring";
import { CanvasLayer } from "tektite/map/canvas_layer";
import { readLooks } from "tektite/map/looks";

/**
 * @typedef {import("tektite/geo/sphere").LonLat} LonLat
 * @typedef {object} Circle
 * @property {number} lon
 * @property {number} lat
 * @property {number} diameter_m
 *
 * @typedef {object} Item
 * @property {Circle} circle Never changed in place: its ring is kept by its identity.
 * @property {keyof ReturnType<typeof readLooks>} look
 * @property {boolean} [selected] Filled lightly and stronger.
 * @property {string} [label] Beside the rim.
 * @property {LonLat[]} [handles] Squares to drag.
 * @property {LonLat[]} [dots] Points that were clicked.
 */

// Up to which radius on the screen so many corners look round; every one a part of 72 or more.
const CORNERS = [
  [8, 12],
  [30, 24],
  [250, 72],
  [Infinity, 360],
];
const MOST_CORNERS = 6000;
const HEAVY_ITEMS = 150;
const CASING_PX = 2.4;

export class RingsLayer extends CanvasLayer {
  /** @param {import("tektite/map/grid_map").GridMap} map */
  constructor(map) {
    super(map, "rings");
    this.count = 0;
    this.looks = readLooks();
    /** @type {Map<string, Item[]>} Painted in the order in which the groups were first set. */
    this.groups = new Map();
    this.hidden = false;
    /** @type {WeakMap<Circle, Map<number, [number, number][]>>} */
    this.kept = new WeakMap();
    /** @type {WeakMap<Circle, number>} Their sizes in pixels of the grid. */
    this.sizes = new WeakMap();
  }

  /** @param {string} group @param {Item[]} items Largest first. */
  set(group, items) {
    if (items.length || this.groups.get(group)?.length) {
      this.groups.set(group, items);
      this.count = [...this.groups.values()].reduce((sum, { length }) => sum + length, 0);
      this.redraw();
    }
  }

  /** @override */
  get isHeavy() {
    return this.count > HEAVY_ITEMS;
  }

  /** @param {boolean} hidden */
  hide(hidden) {
    this.hidden = hidden;
    this.redraw();
  }

  /**
   * @param {Circle} circle
   * @returns {Float64Array[]} Its rim on the screen as x, y, x, y …; once more for each turn of the world in view.
   */
  screenRings(circle) {
    const { scale, dx, dy } = this.map.affine();
    const radiusPx = (this.#gridSize(circle) / 2) * scale;
    const [, n] = CORNERS.find(([upTo]) => radiusPx <= upTo);
    const corners = this.#gridRing(circle, n);
    return this.#turns(corners).map((shift) => {
      const line = new Float64Array(2 * corners.length);
      corners.forEach(([x, y], i) => {
        line[2 * i] = (x + shift) * scale + dx;
        line[2 * i + 1] = y * scale + dy;
      });
      return line;
    });
  }

  /** @override */
  paint(context) {
    if (this.hidden) {
      return;
    }
    context.lineJoin = "bevel";
    for (const items of this.groups.values()) {
      for (const item of items) {
        this.#paintItem(context, item);
      }
    }
  }

  #paintItem(context, item) {
    const rings = this.screenRings(item.circle).filter((line) => this.#isInView(line));
    const look = this.looks[item.look];
    for (const line of rings) {
      const isClosed = trace(context, line);
      if (item.selected && isClosed) {
        context.fillStyle = `${look.stroke}1f`;
        context.fill();
      }
      const width = look.width + (item.selected ? 0.8 : 0);
      context.setLineDash([]);
      context.lineCap = "butt";
      context.strokeStyle = "#000000a6";
      context.lineWidth = width + CASING_PX;
      context.stroke();
      context.setLineDash(look.dash);
      context.lineCap = "round";
      context.strokeStyle = look.stroke;
      context.lineWidth = width;
      context.stroke();
    }
    context.setLineDash([]);
    for (const position of item.dots ?? []) {
      this.#dot(context, position, 4, look.stroke, "#000");
    }
    for (const position of item.handles ?? []) {
      this.#dot(context, position, 5, "#0f1216", look.stroke);
    }
    if (item.label && rings.length) {
      paintLabel(context, item.label, rings[0], this.map.size);
    }
  }

  #dot(context, position, radius, fill, stroke) {
    const at = this.map.toScreen(position);
    if (at) {
      context.beginPath();
      context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
      context.fillStyle = fill;
      context.fill();
      context.strokeStyle = stroke;
      context.lineWidth = 2;
      context.stroke();
    }
  }

  /** On this map: near the poles of one in degrees a crater is many times wider than on the ground. */
  #gridSize(circle) {
    if (!this.sizes.has(circle)) {
      this.sizes.set(circle, sizeOf(this.#gridRing(circle, CORNERS[0][1])));
    }
    return this.sizes.get(circle);
  }

  #gridRing(circle, n) {
    const kept = this.kept.get(circle) ?? new Map();
    this.kept.set(circle, kept);
    if (!kept.has(n)) {
      const { projection, radiusM } = this.map;
      const drawn = (corners) => projection.lineToGrid(ring([circle.lon, circle.lat], circle.diameter_m, radiusM, corners));
      let line = drawn(n);
      // Past a pole of a map in degrees a rim runs along it in a few steps, which need not go the short way.
      for (let finer = 4 * n; projection.periodPx && longestStep(line) > projection.periodPx / 16 && finer <= MOST_CORNERS; finer *= 4) {
        line = drawn(finer);
      }
      kept.set(n, line);
    }
    return kept.get(n);
  }

  /** How far to the side a ring appears again: a map of the whole world shows one at its seam on both edges. */
  #turns(corners) {
    const { wrapPx } = this.map.projection;
    if (!wrapPx || !corners.length) {
      return [0];
    }
    const sides = this.map.sides;
    const xs = corners.map(([x]) => x);
    const [left, right] = [Math.min(...xs), Math.max(...xs)];
    return [0, wrapPx, -wrapPx].filter((shift) => left + shift < sides.right && right + shift > sides.left);
  }

  #isInView(line) {
    const { x: width, y: height } = this.map.size;
    let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < line.length; i += 2) {
      left = Math.min(left, line[i]);
      right = Math.max(right, line[i]);
      top = Math.min(top, line[i + 1]);
      bottom = Math.max(bottom, line[i + 1]);
    }
    return right > -20 && left < width + 20 && bottom > -20 && top < height + 20;
  }
}

/** @type {(corners: [number, number][]) => number} The longer side of the box round them; 0 of none. */
function sizeOf(corners) {
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  return corners.length ? Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)) : 0;
}

/** @type {(corners: [number, number][]) => number} */
const longestStep = (corners) => corners.reduce((most, [x], i) => (i ? Math.max(most, Math.abs(x - corners[i - 1][0])) : 0), 0);

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Float64Array} line
 * @returns {boolean} Whether it comes back to where it began: round a pole of a map in degrees it does not.
 */
function trace(context, line) {
  context.beginPath();
  context.moveTo(line[0], line[1]);
  for (let i = 2; i < line.length; i += 2) {
    context.lineTo(line[i], line[i + 1]);
  }
  const isClosed = Math.hypot(line[0] - line.at(-2), line[1] - line.at(-1)) < 0.5;
  if (isClosed) {
    context.closePath();
  }
  return isClosed;
}

/** To the right of the rim, or to its left where the map ends. */
function paintLabel(context, text, line, size) {
  let [right, left] = [0, 0];
  for (let i = 2; i < line.length; i += 2) {
    right = line[i] > line[right] ? i : right;
    left = line[i] < line[left] ? i : left;
  }
  context.font = '600 13px "Inter", system-ui, sans-serif';
  context.textBaseline = "middle";
  const isRight = line[right] + 14 + context.measureText(text).width < size.x;
  const at = isRight ? right : left;
  context.textAlign = isRight ? "left" : "right";
  const x = Math.min(Math.max(line[at] + (isRight ? 11 : -11), 8), size.x - 8);
  const y = Math.min(Math.max(line[at + 1], 14), size.y - 14);
  context.strokeStyle = "#000000d9";
  context.lineWidth = 3.5;
  context.strokeText(text, x, y);
  context.fillStyle = "#fff";
  context.fillText(text, x, y);
}
