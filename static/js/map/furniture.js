/** What tells the way and the size on the map: the scale bar and the sun. */

import { scaleBar } from "tektite/geo/scale";
import { destination } from "tektite/geo/sphere";
import { find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";

/** @typedef {import("tektite/map/grid_map").GridMap} GridMap */

const LONGEST_BAR_PX = 170;

/** @param {GridMap} map @param {HTMLElement} element With a .scale-label and a .scale-bar. */
export function addScaleBar(map, element) {
  const update = () => {
    const metresPerPx = map.groundSizeAt();
    element.hidden = !metresPerPx;
    if (metresPerPx) {
      const { widthPx, label } = scaleBar(metresPerPx, Math.min(LONGEST_BAR_PX, map.size.x / 3));
      find(".scale-label", element).textContent = label;
      find(".scale-bar", element).style.width = `${widthPx}px`;
    }
  };
  map.onMove(update);
  update();
}

/**
 * @param {GridMap} map
 * @param {HTMLElement} element With a .sun-arrow (an SVG group) and a .sun-label.
 * @returns {(layer: {sun_azimuth_deg: number|null, sun_incidence_deg: number|null, sun_is_from_up: boolean}) => void}
 *   To be told the layer.
 */
export function addSun(map, element) {
  let layer = { sun_azimuth_deg: null, sun_incidence_deg: null, sun_is_from_up: false };
  const update = () => {
    const north = screenNorthDeg(map);
    element.hidden = layer.sun_azimuth_deg === null || north === null;
    if (!element.hidden) {
      const onScreen = layer.sun_azimuth_deg + (layer.sun_is_from_up ? 0 : north);
      find(".sun-arrow", element).setAttribute("transform", `rotate(${onScreen} 22 22)`);
      find(".sun-label", element).textContent = sunText(layer, (((onScreen - north) % 360) + 360) % 360);
    }
  };
  map.onRest(update);
  return (shown) => {
    layer = shown;
    update();
  };
}

function sunText({ sun_incidence_deg }, fromNorthDeg) {
  const azimuth = interpolate(gettext("sun %(degrees)s°"), { degrees: Math.round(fromNorthDeg) % 360 });
  const incidence =
    sun_incidence_deg === null ? "" : `\n${interpolate(gettext("inc. %(degrees)s°"), { degrees: Math.round(sun_incidence_deg) })}`;
  return azimuth + incidence;
}

/** @param {GridMap} map @returns {number|null} Where north is at the middle, clockwise from the screen's up. */
function screenNorthDeg(map) {
  const middle = map.toLonLat(map.middle);
  const metresPerPx = map.groundSizeAt();
  const from = middle && map.toScreen(middle);
  const to = from && metresPerPx && map.toScreen(destination(middle, 0, 10 * metresPerPx, map.radiusM));
  return to ? (Math.atan2(to.x - from.x, from.y - to.y) * 180) / Math.PI : null;
}
