/** Fingers, mouse and wheel on a picture: a tap, a mark moved, the picture moved, or two fingers that enlarge it. */

/**
 * @typedef {{x: number, y: number}} Spot In the element, CSS pixels.
 *
 * @typedef {object} Wishes
 * @property {(spot: Spot, reach: number) => number} grab Which mark lies under the finger; −1 for none.
 * @property {(index: number, spot: Spot) => void} dragMark
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, spot: Spot) => void} zoom
 * @property {(spot: Spot, reach: number) => void} tap
 * @property {() => boolean} isReady Whether there is a picture.
 */

// A finger is less exact than a mouse, and trembles more.
const REACH_PX = { touch: 28, mouse: 22 };
const STILL_PX = { touch: 9, mouse: 4 };
const WHEEL = 0.0016;
// Browsers that scroll by lines or pages.
const LINE_PX = 24;

export class Touches {
  /** @param {HTMLElement} element @param {Wishes} wishes */
  constructor(element, wishes) {
    this.element = element;
    this.wishes = wishes;
    /** @type {Map<number, Spot>} Pointers that are down. */
    this.down = new Map();
    this.begun = null;
    const listen = (type, run) => element.addEventListener(type, (event) => wishes.isReady() && run.call(this, event));
    listen("pointerdown", this.#press);
    listen("pointermove", this.#move);
    for (const type of ["pointerup", "pointercancel"]) {
      element.addEventListener(type, (event) => this.#lift(event));
    }
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    element.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  #press(event) {
    if (event.pointerType === "mouse" && event.button !== 0) {
      return;
    }
    this.element.setPointerCapture(event.pointerId);
    const spot = this.#spot(event);
    this.down.set(event.pointerId, spot);
    if (this.down.size > 1) {
      // Two fingers enlarge, whatever one of them had begun.
      this.begun = null;
      return;
    }
    const kind = event.pointerType === "mouse" ? "mouse" : "touch";
    this.begun = { kind, at: spot, hasMoved: false, mark: this.wishes.grab(spot, REACH_PX[kind]) };
  }

  #move(event) {
    const before = this.down.get(event.pointerId);
    if (!before) {
      return;
    }
    const spot = this.#spot(event);
    if (this.down.size === 2) {
      this.#pinch(event.pointerId, before, spot);
    } else if (this.begun) {
      this.#drag(before, spot);
    }
    this.down.set(event.pointerId, spot);
  }

  #drag(before, spot) {
    const { begun } = this;
    if (!begun.hasMoved) {
      begun.hasMoved = distance(spot, begun.at) > STILL_PX[begun.kind];
      if (!begun.hasMoved) {
        return;
      }
    }
    if (begun.mark >= 0) {
      this.wishes.dragMark(begun.mark, spot);
    } else {
      this.wishes.pan(spot.x - before.x, spot.y - before.y);
    }
  }

  #pinch(id, before, spot) {
    const other = [...this.down].find(([key]) => key !== id)[1];
    const wasMiddle = middle(before, other);
    const isMiddle = middle(spot, other);
    this.wishes.pan(isMiddle.x - wasMiddle.x, isMiddle.y - wasMiddle.y);
    this.wishes.zoom(distance(spot, other) / Math.max(1, distance(before, other)), isMiddle);
  }

  #lift(event) {
    if (!this.down.delete(event.pointerId)) {
      return;
    }
    const { begun } = this;
    this.begun = null;
    if (begun && !begun.hasMoved && event.type === "pointerup" && this.wishes.isReady()) {
      this.wishes.tap(begun.at, REACH_PX[begun.kind]);
    }
  }

  #wheel(event) {
    event.preventDefault();
    if (this.wishes.isReady()) {
      const px = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * LINE_PX;
      this.wishes.zoom(Math.exp(-px * WHEEL), this.#spot(event));
    }
  }

  #spot(event) {
    const box = this.element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
}

const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
const middle = (a, b) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
