/**
 * Between longitude/latitude and the pixels of a campaign's grid: the browser's twin of mlcore.raster.grid.
 *
 * @typedef {import("tektite/geo/sphere").LonLat} LonLat
 * @typedef {import("tektite/geo/lonlat").GridPoint} GridPoint
 * @typedef {object} GridJson
 * @property {string} proj4
 * @property {number} origin_x Projected x of the left edge of pixel 0.
 * @property {number} origin_y Projected y of the top edge of pixel 0.
 * @property {number} pixel_size In the projection's units: metres, or degrees for longitude/latitude.
 * @property {number} width_px
 * @property {number} height_px
 * @property {number} max_zoom
 * @property {number} resolution_m_per_px
 */

import { normaliseLon } from "tektite/geo/sphere";

// In these, x is proportional to longitude: a whole turn is the same place again, one period further right.
const CYLINDRICAL = new Set(["longlat", "latlong", "eqc", "merc", "cea", "mill"]);

// proj4 turns the pole over in `eqc` when the latitude is exactly ±90°. This much is 30 µm on the Moon.
const ALMOST_POLE_DEG = 90 - 1e-9;
// At the centre of `aeqd` proj4 divides by nothing, as far as a cosine cannot be told from 1.
const AWAY_FROM_CENTER_DEG = 2e-6;

// PROJ's units that proj4 2.6 takes for metres without a word.
const METRES_IN = { km: 1000, dm: 0.1, cm: 0.01, mm: 0.001 };

/**
 * proj4 2.6, which django-leaflet brings, does not know +R and silently takes the Earth instead, takes kilometres
 * for metres, and without +x_0 and +y_0 answers NaN.
 *
 * @param {string} definition In PROJ's words.
 * @returns {string} In words that proj4 2.6 understands.
 */
export function spokenForProj4(definition) {
  const radius = /\+R=(\S+)/.exec(definition)?.[1];
  const words = definition
    .replace(/\+R=\S+/, radius ? `+a=${radius} +b=${radius}` : "")
    .replace(/\+units=(\w+)/, (given, unit) => (METRES_IN[unit] ? `+to_meter=${METRES_IN[unit]}` : given))
    .split(/\s+/);
  for (const [word, value] of [
    ["+x_0", "0"],
    ["+y_0", "0"],
  ]) {
    if (!words.some((given) => given.startsWith(`${word}=`))) {
      words.push(`${word}=${value}`);
    }
  }
  return words.filter((word) => word && word !== "+type=crs").join(" ");
}

/**
 * @param {(definition: string) => {forward: (p: number[]) => number[], inverse: (p: number[]) => number[]}} proj4
 * @param {GridJson} grid
 */
export function makeProjection(proj4, grid) {
  const name = /\+proj=(\S+)/.exec(grid.proj4)?.[1] ?? "";
  const geographic = name === "longlat" || name === "latlong";
  const plane = geographic ? DEGREES : proj4(spokenForProj4(grid.proj4));
  const periodPx = CYLINDRICAL.has(name) ? periodOf(plane, geographic) / grid.pixel_size : null;
  // Where the grid shows the whole turn, its west edge is its east edge.
  const wrapPx = periodPx && grid.width_px >= periodPx - 0.5 ? periodPx : null;
  const middleX = grid.width_px / 2;

  /**
   * @param {LonLat} position
   * @returns {GridPoint|null} The copy nearest to the grid's middle; null where the projection has no such place.
   */
  function toGrid([lon, lat]) {
    const [px, py] = forward(plane, [lon, lat]);
    let x = (px - grid.origin_x) / grid.pixel_size;
    const y = (grid.origin_y - py) / grid.pixel_size;
    if (periodPx) {
      x -= periodPx * Math.round((x - middleX) / periodPx);
    }
    return Number.isFinite(x) && Number.isFinite(y) ? [x, y] : null;
  }

  /**
   * @param {GridPoint} point
   * @returns {LonLat|null} Null beyond the edge of the world.
   */
  function toLonLat([x, y]) {
    const projected = [grid.origin_x + x * grid.pixel_size, grid.origin_y - y * grid.pixel_size];
    const [lon, lat] = attempt(() => plane.inverse(projected));
    if (!Number.isFinite(lon) || !Number.isFinite(lat) || Math.abs(lat) > 90) {
      return null;
    }
    // Beyond the pole proj4 comes back on the other side instead of saying no.
    const [againX, againY] = forward(plane, [lon, lat]);
    const slack = 1e-3 * grid.pixel_size;
    const missedX = periodPx ? 0 : Math.abs(againX - projected[0]);
    if (missedX > slack || Math.abs(againY - projected[1]) > slack) {
      return null;
    }
    return [normaliseLon(lon), lat];
  }

  /**
   * @param {LonLat[]} line
   * @returns {GridPoint[]} The same line without jumps: each point is the copy nearest to the one before.
   */
  function lineToGrid(line) {
    const points = [];
    for (const position of line) {
      const point = toGrid(position);
      if (!point) {
        continue;
      }
      if (periodPx && points.length) {
        const before = points[points.length - 1];
        point[0] -= periodPx * Math.round((point[0] - before[0]) / periodPx);
      }
      points.push(point);
    }
    return points;
  }

  return { toGrid, toLonLat, lineToGrid, periodPx, wrapPx };
}

/** @typedef {ReturnType<typeof makeProjection>} Projection */

/** Longitude/latitude needs no projecting: its unit is the degree. */
const DEGREES = { forward: ([lon, lat]) => [lon, lat], inverse: ([x, y]) => [x, y] };

/** The projected length of a whole turn of longitude. */
function periodOf(plane, geographic) {
  if (geographic) {
    return 360;
  }
  // Twice, because the projection's own seam may lie between one of the pairs.
  const degrees = [0, 90].map((lon) => Math.abs(plane.forward([lon + 1, 0])[0] - plane.forward([lon, 0])[0]));
  return 360 * Math.min(...degrees);
}

/** @type {(plane: {forward: (p: number[]) => number[]}, position: LonLat) => number[]} */
function forward(plane, [lon, lat]) {
  const inside = Math.min(Math.max(lat, -ALMOST_POLE_DEG), ALMOST_POLE_DEG);
  const at = (/** @type {number} */ shift) => attempt(() => plane.forward([lon, inside + shift]));
  const point = at(0);
  if (point.every(Number.isFinite)) {
    return point;
  }
  const [above, below] = [at(AWAY_FROM_CENTER_DEG), at(-AWAY_FROM_CENTER_DEG)];
  return [(above[0] + below[0]) / 2, (above[1] + below[1]) / 2];
}

/** Some projections throw where they are not defined. */
function attempt(run) {
  try {
    return run();
  } catch {
    return [NaN, NaN];
  }
}
