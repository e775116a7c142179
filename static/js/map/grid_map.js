/** A Leaflet map on a campaign's grid that speaks in screen pixels, grid pixels and longitude/latitude. */

import { boxToLeaflet, fromLeaflet, toLeaflet } from "tektite/geo/lonlat";
import { groundSize } from "tektite/geo/scale";
import { normaliseLon } from "tektite/geo/sphere";
import { gridCrs } from "tektite/map/crs";

/**
 * @typedef {import("tektite/geo/sphere").LonLat} LonLat
 * @typedef {import("tektite/geo/lonlat").GridPoint} GridPoint
 * @typedef {{x: number, y: number}} ScreenPoint In pixels of the map's element.
 */

const ZOOMS_BEYOND_NATIVE = 5;
const ZOOMS_BELOW_WHOLE = 3;
// How finely the view is looked through for the box of longitudes and latitudes that it shows.
const VIEW_SAMPLES = 12;

export class GridMap {
  /**
   * @param {HTMLElement} element
   * @param {import("tektite/geo/projection").GridJson} grid
   * @param {import("tektite/geo/projection").Projection} projection
   * @param {number} radiusM Of the body.
   */
  constructor(element, grid, projection, radiusM) {
    Object.assign(this, { element, grid, projection, radiusM });
    this.leaflet = L.map(element, {
      crs: gridCrs(grid),
      minZoom: -ZOOMS_BELOW_WHOLE,
      maxZoom: grid.max_zoom + ZOOMS_BEYOND_NATIVE,
      zoomControl: false,
      attributionControl: false,
      // Pointers and keys are ours: see draw/pointers.js and lib/keys.js.
      dragging: false,
      boxZoom: false,
      doubleClickZoom: false,
      keyboard: false,
      tapHold: false,
      wheelPxPerZoomLevel: 90,
      fadeAnimation: false,
      zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    });
    for (const [name, zIndex] of [
      ["mask", 300],
      ["rings", 400],
    ]) {
      this.leaflet.createPane(name).style.zIndex = String(zIndex);
    }
    this.fitBox([0, 0, grid.width_px, grid.height_px]);
    new ResizeObserver(() => this.leaflet.invalidateSize({ pan: false })).observe(element);
  }

  /** @param {() => void} run After every movement and zoom, while it goes on. */
  onMove(run) {
    this.leaflet.on("move zoom viewreset resize", run);
  }

  /** @param {() => void} run When a movement or zoom has ended. */
  onRest(run) {
    this.leaflet.on("moveend resize", run);
  }

  /** @returns {number} */
  get zoom() {
    return this.leaflet.getZoom();
  }

  /** @returns {ScreenPoint} The map's width and height. */
  get size() {
    return this.leaflet.getSize();
  }

  /** @returns {ScreenPoint} */
  get middle() {
    const { x, y } = this.size;
    return { x: x / 2, y: y / 2 };
  }

  /** @returns {{scale: number, dx: number, dy: number}} screen = grid · scale + (dx, dy), now. */
  affine() {
    const origin = this.leaflet.getPixelOrigin();
    const pane = L.DomUtil.getPosition(this.leaflet.getPane("mapPane")) ?? { x: 0, y: 0 };
    const scale = 2 ** (this.zoom - this.grid.max_zoom);
    return { scale, dx: pane.x - origin.x, dy: pane.y - origin.y };
  }

  /** @returns {{left: number, right: number}} From where to where there is a map: a whole body goes on for half a turn. */
  get sides() {
    const beyond = (this.projection.wrapPx ?? 0) / 2;
    return { left: -beyond, right: this.grid.width_px + beyond };
  }

  /** @param {ScreenPoint} point @returns {GridPoint} */
  toGrid({ x, y }) {
    return fromLeaflet(this.leaflet.containerPointToLatLng([x, y]));
  }

  /** @param {ScreenPoint} point @returns {LonLat|null} Null beyond the edge of the world. */
  toLonLat(point) {
    return this.projection.toLonLat(this.toGrid(point));
  }

  /** @param {GridPoint} point @returns {ScreenPoint} */
  gridToScreen([x, y]) {
    const { scale, dx, dy } = this.affine();
    return { x: x * scale + dx, y: y * scale + dy };
  }

  /** @param {LonLat} position @returns {ScreenPoint|null} Of several on a map of a whole body the one nearest to the middle. */
  toScreen(position) {
    const point = this.#nearest(position);
    return point && this.gridToScreen(point);
  }

  /** @param {LonLat} position @returns {GridPoint|null} */
  #nearest(position) {
    const point = this.projection.toGrid(position);
    const { wrapPx } = this.projection;
    if (!point || !wrapPx) {
      return point;
    }
    const [seenX] = this.toGrid(this.middle);
    return [point[0] - wrapPx * Math.round((point[0] - seenX) / wrapPx), point[1]];
  }

  /** @param {ScreenPoint} [at] @returns {number|null} Metres of ground per screen pixel; at the middle by default. */
  groundSizeAt(at = this.middle) {
    return groundSize((x, y) => this.toLonLat({ x, y }), at, this.radiusM);
  }

  /** @param {[number, number, number, number]} box Left, top, right, bottom in grid pixels. @param {number} [padding] */
  fitBox(box, padding = 12) {
    this.leaflet.fitBounds(boxToLeaflet(box), { padding: [padding, padding], animate: false });
  }

  /** @param {LonLat} position Move it to the middle, unless it is well inside the view already. */
  reveal(position) {
    const at = this.toScreen(position);
    const { x, y } = this.size;
    const margin = Math.min(x, y) / 8;
    if (at && (at.x < margin || at.y < margin || at.x > x - margin || at.y > y - margin)) {
      this.leaflet.panTo(toLeaflet(this.#nearest(position)));
    }
  }

  /** @param {number} dx Screen pixels that the picture moves. @param {number} dy */
  panBy(dx, dy) {
    this.leaflet.panBy([-dx, -dy], { animate: false });
  }

  /** @param {number} steps Of zoom, around the middle. */
  zoomBy(steps) {
    this.leaflet.setZoom(this.zoom + steps);
  }

  /** @returns {[number, number, number, number]|null} [west, south, east, north] of the view; west > east across ±180°. */
  viewBox() {
    const { x, y } = this.size;
    const steps = Array.from({ length: VIEW_SAMPLES + 1 }, (_, i) => i / VIEW_SAMPLES);
    const seen = steps.flatMap((u) => steps.map((v) => this.toLonLat({ x: u * x, y: v * y }))).filter(Boolean);
    if (!seen.length) {
      return null;
    }
    const [middleLon] = seen[Math.floor(seen.length / 2)];
    const lons = seen.map(([lon]) => middleLon + normaliseLon(lon - middleLon));
    const poles = this.#polesInView();
    const lats = [...seen.map(([, lat]) => lat), ...poles];
    const [west, east] = widened(lons);
    const [south, north] = widened(lats);
    const isAllRound = east - west >= 360 || poles.length > 0;
    const across = isAllRound ? [-180, 180] : [normaliseLon(west), normaliseLon(east)];
    return [across[0], Math.max(south, -90), across[1], Math.min(north, 90)];
  }

  /** Poles that are points inside the view: all longitudes meet there. */
  #polesInView() {
    const { x, y } = this.size;
    const isShown = (lat) => {
      const at = this.toScreen([0, lat]);
      return at && at.x >= 0 && at.y >= 0 && at.x <= x && at.y <= y;
    };
    return this.projection.periodPx ? [] : [90, -90].filter(isShown);
  }
}

/** @type {(values: number[]) => [number, number]} Least and most, and a sample's width more. */
function widened(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = (most - least) / VIEW_SAMPLES;
  return [least - margin, most + margin];
}
