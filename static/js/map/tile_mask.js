/** Shows which part of the map is to be searched: the core of the tile is bright, outside its window is dimmed. */

import { CanvasLayer } from "tektite/map/canvas_layer";

/** @typedef {{x_px: number, y_px: number, width_px: number, height_px: number, overlap_px: number}} Tile */

export class TileMask extends CanvasLayer {
  /** @param {import("tektite/map/grid_map").GridMap} map */
  constructor(map) {
    super(map, "mask");
    /** @type {Tile|null} */
    this.tile = null;
  }

  /** @param {Tile|null} tile */
  show(tile) {
    this.tile = tile;
    this.redraw();
  }

  /** @override */
  paint(context) {
    if (!this.tile) {
      return;
    }
    const { x: width, y: height } = this.map.size;
    const core = this.#rectangle(0);
    const reach = this.#rectangle(this.tile.overlap_px);
    shade(context, [0, 0, width, height], reach, "#0b0d108c");
    shade(context, reach, core, "#0b0d1033");
    context.setLineDash([]);
    context.lineWidth = 3;
    context.strokeStyle = "#00000080";
    context.strokeRect(...core);
    context.lineWidth = 1;
    context.strokeStyle = "#ffffffa6";
    context.strokeRect(...core);
  }

  #rectangle(margin) {
    const { x_px, y_px, width_px, height_px } = this.tile;
    const a = this.map.gridToScreen([x_px - margin, y_px - margin]);
    const b = this.map.gridToScreen([x_px + width_px + margin, y_px + height_px + margin]);
    return [a.x, a.y, b.x - a.x, b.y - a.y];
  }
}

/** Between an outer rectangle and the hole in it. */
function shade(context, outer, hole, colour) {
  context.beginPath();
  context.rect(...outer);
  context.rect(...hole);
  context.fillStyle = colour;
  context.fill("evenodd");
}

/** @param {Tile} tile @returns {[number, number, number, number]} Its window in grid pixels. */
export function windowOf({ x_px, y_px, width_px, height_px, overlap_px }) {
  return [x_px - overlap_px, y_px - overlap_px, x_px + width_px + overlap_px, y_px + height_px + overlap_px];
}
