/** The picture that is cut out of: points set by clicks, taps or the cross, dragged, and what was cut before. */

import { crossing, LEAST_POINTS, nearestEdge } from "tektite/geo/outline";
import * as views from "tektite/geo/picture_view";
import { pathThrough, svg } from "tektite/lib/svg";
import { PictureStage } from "tektite/pages/picture_stage";
import { Touches } from "tektite/pages/triage/touches";

/**
 * @typedef {import("tektite/geo/outline").Point} Point
 * @typedef {{points: Point[], kind: "kept"|"saving"}} Shown An outline that was cut out before.
 */

// Points lie closer together than marks of craters do, so less far away is hit.
const POINT_SHARE = 0.6;
const EDGE_SHARE = 0.45;
const DOUBLE_MS = 450;
const DOUBLE_PX = 14;
const DOT_PX = 5;
// Numbers of edges begin behind those of points.
const EDGE = 1_000_000;

export class CutStage extends PictureStage {
  /**
   * @param {HTMLElement} element
   * @param {import("tektite/pages/foil_cut/drawing").Drawing} drawing
   */
  constructor(element, drawing) {
    super(element);
    this.drawing = drawing;
    /** @type {Shown[]} */
    this.shown = [];
    /** Which point this press drags, once it has moved. */
    this.dragged = -1;
    this.lastTap = { at: -Infinity, spot: { x: 0, y: 0 } };
    /** @type {Point|null} Where the mouse is, in the box. */
    this.mouse = null;
    new Touches(element, {
      grab: (spot, reach) => this.#grab(spot, reach),
      dragMark: (index, spot) => this.#drag(index, spot),
      pan: (dx, dy) => this.look(views.moved(this.view, dx, dy)),
      zoom: (factor, spot) => this.look(views.zoomed(this.view, factor, spot)),
      tap: (spot, reach) => this.#tap(spot, reach),
      isReady: () => this.view !== null,
    });
    element.addEventListener("pointermove", (event) => this.#hover(event));
    element.addEventListener("pointerleave", () => this.#hover(null));
    drawing.addEventListener("change", () => this.draw());
  }

  /** @param {import("tektite/pages/picture_stage").Pictured} picture @param {HTMLImageElement[]} images @param {number} frame */
  open(picture, images, frame) {
    Object.assign(this, { picture, images });
    this.view = views.wholeIn(this.size, this.box);
    this.chooseFrame(frame);
  }

  /** @param {Shown[]} shown */
  show(shown) {
    this.shown = shown;
    this.draw();
  }

  /** A point where the cross is; on the first one it closes the outline. @returns {boolean} Whether there is a cross. */
  pointAtCross() {
    if (!this.cross) {
      return false;
    }
    const { drawing } = this;
    const spot = views.toBox(this.view, this.cross);
    if (drawing.isClosed) {
      this.#tap(spot, DOUBLE_PX, true);
    } else if (!this.#closesAt(spot, DOUBLE_PX)) {
      drawing.add(rounded(this.cross));
    }
    return true;
  }

  /** The chosen point by the arrows, or the cross where none is chosen. */
  step(dx, dy, isLong) {
    const { chosen } = this.drawing.state;
    if (!this.drawing.isClosed || chosen < 0) {
      this.moveCross(dx, dy, isLong);
      return;
    }
    const step = (isLong ? 6 : 1) * Math.min(1, 2 / this.view.scale);
    const { x, y } = this.drawing.points[chosen];
    if (!isLong) {
      this.drawing.grab(chosen);
    }
    this.drawing.move(chosen, rounded(views.into(this.view, { x: x + dx * step, y: y + dy * step })));
    this.look(views.showing(this.view, this.drawing.points[chosen]));
  }

  /** @param {Point[]} points Are brought well onto the screen. */
  lookAt(points) {
    const middle = { x: mean(points, "x"), y: mean(points, "y") };
    this.look(views.showing(this.view, middle));
  }

  /** @returns {SVGElement[]} */
  shapes() {
    const { points, isClosed } = this.drawing;
    return [
      ...this.shown.flatMap(({ points: cut, kind }) => this.#outline(kind, cut, true)),
      ...(points.length ? this.#draft(points, isClosed) : []),
    ];
  }

  #draft(points, isClosed) {
    const wrong = crossing(points, isClosed) ?? [];
    const spots = points.map((point) => views.toBox(this.view, point));
    const edge = (at) => pathThrough([pair(spots[at]), pair(spots[(at + 1) % spots.length])]);
    const last = spots.at(-1);
    const { chosen } = this.drawing.state;
    const isClosable = !isClosed && points.length >= LEAST_POINTS;
    return [
      ...this.#outline("draft", points, isClosed),
      ...(!isClosed && this.mouse ? [svg("path", { class: "next", d: pathThrough([pair(last), pair(this.mouse)]) })] : []),
      ...wrong.map((at) => svg("path", { class: "wrong", d: edge(at) })),
      ...spots.flatMap(({ x, y }, at) => {
        const isFirst = isClosable && at === 0;
        const name = `point${at === chosen ? " chosen" : ""}${isFirst ? " first" : ""}`;
        const r = isFirst || at === chosen ? DOT_PX + 3 : DOT_PX;
        return [svg("circle", { class: "casing", cx: x, cy: y, r }), svg("circle", { class: name, cx: x, cy: y, r })];
      }),
    ];
  }

  #outline(kind, points, isClosed) {
    const d = pathThrough(points.map((point) => pair(views.toBox(this.view, point))), isClosed);
    return [svg("path", { class: "casing", d }), svg("path", { class: kind, d })];
  }

  #grab(spot, reach) {
    this.dragged = -1;
    const { drawing } = this;
    const point = views.markAt(drawing.points, this.view, spot, POINT_SHARE * reach);
    if (point >= 0 || !drawing.isClosed) {
      return point;
    }
    const edge = nearestEdge(drawing.points, views.toPicture(this.view, spot), (EDGE_SHARE * reach) / this.view.scale);
    return edge ? EDGE + edge.edge : -1;
  }

  #drag(index, spot) {
    const at = rounded(views.into(this.view, views.toPicture(this.view, spot)));
    if (this.dragged < 0) {
      this.dragged = index >= EDGE ? index - EDGE + 1 : index;
      if (index >= EDGE) {
        this.drawing.insert(index - EDGE, at);
      } else {
        this.drawing.grab(index);
      }
    }
    this.drawing.move(this.dragged, at);
  }

  /** @param {Point} spot @param {number} reach @param {boolean} [isCross] By keys: the cross stays. */
  #tap(spot, reach, isCross = false) {
    const isDouble = this.#isDouble(spot);
    this.cross = isCross ? this.cross : null;
    const { drawing } = this;
    if (drawing.isClosed) {
      this.#tapClosed(spot, reach);
    } else if (!(isDouble && drawing.close()) && !this.#closesAt(spot, POINT_SHARE * reach)) {
      this.#set(spot, reach);
    }
  }

  #tapClosed(spot, reach) {
    const { drawing } = this;
    const point = views.markAt(drawing.points, this.view, spot, POINT_SHARE * reach);
    const pixel = views.toPicture(this.view, spot);
    const edge = point < 0 && nearestEdge(drawing.points, pixel, (EDGE_SHARE * reach) / this.view.scale);
    if (edge) {
      drawing.insert(edge.edge, rounded(edge.at));
    } else {
      drawing.choose(point);
    }
  }

  #set(spot, reach) {
    const pixel = views.toPicture(this.view, spot);
    const there = views.markAt(this.drawing.points, this.view, spot, (POINT_SHARE * reach) / 2);
    if (there >= 0) {
      this.drawing.choose(there);
    } else if (views.isInside(this.view, pixel)) {
      this.drawing.add(rounded(pixel));
    }
  }

  #closesAt(spot, reach) {
    const { drawing } = this;
    const isFirst = views.markAt(drawing.points.slice(0, 1), this.view, spot, reach) === 0;
    return isFirst && drawing.close();
  }

  #isDouble(spot) {
    const now = performance.now();
    const { at, spot: before } = this.lastTap;
    this.lastTap = { at: now, spot };
    return now - at < DOUBLE_MS && Math.hypot(spot.x - before.x, spot.y - before.y) < DOUBLE_PX;
  }

  #hover(event) {
    const box = this.element.getBoundingClientRect();
    this.mouse =
      event?.pointerType === "mouse" && !event.buttons ? { x: event.clientX - box.left, y: event.clientY - box.top } : null;
    if (!this.drawing.isEmpty && !this.drawing.isClosed) {
      this.draw();
    }
  }
}

const pair = ({ x, y }) => [x, y];
const rounded = ({ x, y }) => ({ x: Math.round(x * 100) / 100, y: Math.round(y * 100) / 100 });
const mean = (points, axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
