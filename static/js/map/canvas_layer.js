/** A canvas that lies on the whole map and is painted in screen pixels. */

/** @typedef {import("tektite/map/grid_map").GridMap} GridMap */

// A picture of very many things follows the map at once and is painted anew when the hand pauses.
const PAUSE_MS = 90;

/** Subclasses paint; `redraw()` asks for it, at most once per frame. */
export class CanvasLayer {
  /** @param {GridMap} map @param {string} pane */
  constructor(map, pane) {
    this.map = map;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "map-canvas leaflet-zoom-animated";
    this.canvas.setAttribute("aria-hidden", "true");
    map.leaflet.getPane(pane).append(this.canvas);
    this.frame = 0;
    this.timer = 0;
    this.paintedZoom = NaN;
    map.onMove(() => this.#moved());
    map.leaflet.on("zoomanim", (event) => this.#follow(event));
    this.redraw();
  }

  redraw() {
    this.frame ||= requestAnimationFrame(() => this.#paintNow());
  }

  /** @returns {boolean} Whether painting takes longer than a frame. */
  get isHeavy() {
    return false;
  }

  /** @param {CanvasRenderingContext2D} context In CSS pixels of the map's element. @abstract */
  paint(context) {
    throw new Error(`${this.constructor.name} does not paint on ${context}.`);
  }

  /** The canvas lies on the map's pane and has moved with it: only its edges are missing. */
  #moved() {
    if (this.isHeavy && this.paintedZoom === this.map.zoom) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.redraw(), PAUSE_MS);
    } else {
      this.redraw();
    }
  }

  #paintNow() {
    this.frame = 0;
    if (this.map.leaflet._animatingZoom) {
      return; // the old picture is on its way to where the new one will be painted
    }
    this.paintedZoom = this.map.zoom;
    const { x: width, y: height } = this.map.size;
    const ratio = globalThis.devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    L.DomUtil.setPosition(this.canvas, this.map.leaflet.containerPointToLayerPoint([0, 0]));
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.paint(context);
  }

  /** While Leaflet animates a zoom, the old picture is stretched along with the map tiles. */
  #follow({ center, zoom }) {
    const { leaflet } = this.map;
    const scale = leaflet.getZoomScale(zoom, leaflet.getZoom());
    const corner = leaflet.containerPointToLatLng([0, 0]);
    const half = leaflet.getSize().divideBy(2);
    const newOrigin = leaflet.project(center, zoom).subtract(half).add(L.DomUtil.getPosition(leaflet.getPane("mapPane")));
    const offset = leaflet.project(corner, zoom).subtract(newOrigin.round());
    L.DomUtil.setTransform(this.canvas, offset, scale);
  }
}
