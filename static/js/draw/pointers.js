/**
 * Who gets the pointer: the tool, or the hand that moves the map.
 *
 * The left button and one finger go to the tool, which may decline: then they move the map, and without moving they
 * are a click. The middle button, and any button while Space is held, always move the map. Two fingers belong to
 * Leaflet's pinch, whatever one of them had begun.
 *
 * @typedef {object} Spot
 * @property {number} x In pixels of the map's element.
 * @property {number} y
 * @property {boolean} touch Less exact than a mouse.
 *
 * @typedef {object} Tool
 * @property {string} name
 * @property {string} hint What to do with it, in a sentence.
 * @property {(spot: Spot) => boolean} down Whether the tool takes this press.
 * @property {(spot: Spot) => void} drag
 * @property {(spot: Spot) => void} up
 * @property {(spot: Spot) => void} click A press that it declined and that did not move.
 * @property {(spot: Spot|null) => void} hover Null: the pointer has left.
 * @property {() => boolean} cancel Whether there was anything to cancel.
 * @property {(points: [number, number][]) => void} [takeUp] Go on with a shape that was left unfinished.
 */

const CLICK_PX = 4;
const [MIDDLE, RIGHT] = [1, 2];

export class Pointers {
  /**
   * @param {import("tektite/map/grid_map").GridMap} map
   * @param {() => Tool} tool The one in hand.
   */
  constructor(map, tool) {
    this.map = map;
    this.tool = tool;
    /** @type {"none"|"tool"|"pan"|"pinch"} */
    this.doing = "none";
    this.isPanKeyDown = false;
    /** @type {Set<number>} Fingers on the map. */
    this.fingers = new Set();
    const listen = (type, run) => map.element.addEventListener(type, (event) => run.call(this, event));
    listen("pointerdown", this.#down);
    listen("pointermove", this.#move);
    listen("pointerup", this.#up);
    listen("pointercancel", this.#lost);
    listen("pointerleave", () => this.tool().hover(null));
    // The middle button would start the browser's own scrolling; a long press would open its menu.
    listen("mousedown", (event) => event.button === MIDDLE && event.preventDefault());
    listen("contextmenu", (event) => event.preventDefault());
  }

  /** @param {boolean} isDown While it is, any button moves the map. */
  holdPanKey(isDown) {
    this.isPanKeyDown = isDown;
    this.map.element.classList.toggle("pan-ready", isDown);
  }

  #down(event) {
    this.map.element.focus({ preventScroll: true });
    if (event.pointerType === "touch") {
      this.fingers.add(event.pointerId);
      if (this.fingers.size > 1) {
        this.#startPinch();
        return;
      }
    }
    if (event.button === RIGHT || this.doing !== "none") {
      return;
    }
    this.map.element.setPointerCapture(event.pointerId);
    const spot = this.#spot(event);
    this.pressedAt = spot;
    this.last = spot;
    this.hasMoved = false;
    const isHand = event.button === MIDDLE || this.isPanKeyDown;
    this.mayClick = !isHand;
    this.#become(!isHand && this.tool().down(spot) ? "tool" : "pan");
  }

  #move(event) {
    const spot = this.#spot(event);
    if (this.doing === "none") {
      this.tool().hover(spot);
    } else if (this.doing === "tool") {
      this.tool().drag(spot);
    } else if (this.doing === "pan") {
      this.hasMoved ||= Math.hypot(spot.x - this.pressedAt.x, spot.y - this.pressedAt.y) > CLICK_PX;
      if (this.hasMoved) {
        this.map.panBy(spot.x - this.last.x, spot.y - this.last.y);
        this.last = spot;
      }
    }
  }

  #up(event) {
    this.fingers.delete(event.pointerId);
    const was = this.doing;
    if (was === "pinch") {
      this.#become(this.fingers.size ? "pinch" : "none");
      return;
    }
    this.#become("none");
    if (was === "tool") {
      this.tool().up(this.#spot(event));
    } else if (was === "pan" && this.mayClick && !this.hasMoved) {
      this.tool().click(this.#spot(event));
    }
  }

  #lost(event) {
    this.fingers.delete(event.pointerId);
    if (this.doing === "tool") {
      this.tool().cancel();
    }
    this.#become(this.fingers.size > 1 ? "pinch" : "none");
  }

  #startPinch() {
    if (this.doing === "tool") {
      this.tool().cancel();
    }
    this.#become("pinch");
  }

  #become(doing) {
    this.doing = doing;
    this.map.element.classList.toggle("panning", doing === "pan");
  }

  #spot(event) {
    const box = this.map.element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top, touch: event.pointerType === "touch" };
  }
}
