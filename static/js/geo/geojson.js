/** Marks as GeoJSON, for people to keep or to open elsewhere. */

import { ring } from "tektite/geo/ring";

/**
 * @param {{lon: number, lat: number, diameter_m: number}[]} circles With whatever else is known of each.
 * @param {{name: string, radius_m: number}} body
 * @returns {object} A FeatureCollection of rims, in degrees on the body's sphere.
 */
export function rimsGeojson(circles, body) {
  return {
    type: "FeatureCollection",
    body: body.name,
    radius_m: body.radius_m,
    features: circles.map((circle) => ({
      type: "Feature",
      geometry: { type: "Polygon", coordinates: [rim(circle, body.radius_m)] },
      properties: circle,
    })),
  };
}

/** Counterclockwise, and in one piece: across ±180° longitudes run on, which programs that draw it understand. */
function rim({ lon, lat, diameter_m }, radiusM) {
  return ring([lon, lat], diameter_m, radiusM)
    .reverse()
    .map(([x, y]) => [x - 360 * Math.round((x - lon) / 360), y]);
}
