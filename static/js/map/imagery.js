/** The layer that is looked at: map tiles cut from its own pixels, under a contrast of the viewer's choice. */

/**
 * @typedef {object} Layer
 * @property {string} uid
 * @property {string} tile_url With {z}, {x} and {y}.
 *
 * @typedef {object} Contrast
 * @property {number} low_percent Percentile shown black.
 * @property {number} high_percent Percentile shown white.
 * @property {number} gamma
 * @property {boolean} invert
 */

/** A contrast that differs in nothing visible has the same address, so that it is fetched once. */
const query = ({ low_percent, high_percent, gamma, invert }) =>
  `low=${low_percent}&high=${high_percent}&gamma=${gamma}&invert=${invert ? 1 : 0}`;

/** Emits "missing" when a tile of the picture does not come. */
export class Imagery extends EventTarget {
  /** @param {import("tektite/map/grid_map").GridMap} map */
  constructor(map) {
    super();
    this.map = map;
    /** @type {L.TileLayer[]} The newest last; older ones stay until it has come, so that nothing flashes. */
    this.stack = [];
    this.url = "";
    this.GridTiles = L.TileLayer.extend({
      _isValidTile: ({ x, y, z }) => {
        const size = 256 * 2 ** (map.grid.max_zoom - z);
        const { left, right } = map.sides;
        return (x + 1) * size > left && y >= 0 && x * size < right && y * size < map.grid.height_px;
      },
    });
  }

  /** @param {Layer} layer @param {Contrast} contrast */
  show(layer, contrast) {
    const url = `${layer.tile_url}${layer.tile_url.includes("?") ? "&" : "?"}${query(contrast)}`;
    if (url === this.url) {
      return;
    }
    this.url = url;
    const newest = new this.GridTiles(url, {
      minZoom: this.map.leaflet.getMinZoom(),
      maxZoom: this.map.leaflet.getMaxZoom(),
      minNativeZoom: 0,
      maxNativeZoom: this.map.grid.max_zoom,
      zIndex: (this.stack.at(-1)?.options.zIndex ?? 0) + 1,
      alt: "",
    });
    newest.on("load", () => this.#dropOlderThan(newest));
    newest.on("tileerror", () => this.dispatchEvent(new Event("missing")));
    this.stack.push(newest);
    newest.addTo(this.map.leaflet);
  }

  /** Ask again for what did not come. */
  reload() {
    this.stack.at(-1)?.redraw();
  }

  #dropOlderThan(newest) {
    const at = this.stack.indexOf(newest);
    for (const older of this.stack.splice(0, Math.max(at, 0))) {
      older.remove();
    }
  }
}
