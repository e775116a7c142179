/**
 * Leaflet's coordinate system of a campaign: the pixels of its grid, and nothing else.
 *
 * At the native zoom a screen pixel is a grid pixel; each zoom below halves; zoom 0 is the grid padded to 256·2ⁿ in
 * one map tile. Longitude and latitude are computed beside Leaflet (geo/projection.js), not inside it, because Leaflet
 * wants every place of its plane to have them: beyond a pole, past ±180° or outside a sinusoidal map it would get
 * NaN or jump to the other side of the world, and its distances would be the Earth's.
 */

/**
 * @param {{max_zoom: number}} grid
 * @returns {L.CRS}
 */
export function gridCrs(grid) {
  return L.extend({}, L.CRS.Simple, {
    transformation: new L.Transformation(1, 0, 1, 0),
    scale: (zoom) => 2 ** (zoom - grid.max_zoom),
    zoom: (scale) => Math.log2(scale) + grid.max_zoom,
    distance: undefined,
    infinite: true,
  });
}
