/**
 * The only file that knows Leaflet's order. The map's plane is the campaign's grid: x pixels to the right,
 * y pixels down, which Leaflet is given as {lng: x, lat: y}. Longitudes and latitudes never enter Leaflet
 * (see map/crs.js); everything else in Tektite says [x, y] and [lon, lat].
 *
 * @typedef {[number, number]} GridPoint Pixels of the grid.
 */

/**
 * @param {GridPoint} point
 * @returns {[number, number]} For Leaflet.
 */
export function toLeaflet([x, y]) {
  return [y, x];
}

/**
 * @param {{lat: number, lng: number}} latLng Leaflet's.
 * @returns {GridPoint}
 */
export function fromLeaflet({ lat, lng }) {
  return [lng, lat];
}

/**
 * @param {[number, number, number, number]} box Left, top, right, bottom in grid pixels.
 * @returns {[[number, number], [number, number]]} Two corners for Leaflet.
 */
export function boxToLeaflet([left, top, right, bottom]) {
  return [toLeaflet([left, bottom]), toLeaflet([right, top])];
}
