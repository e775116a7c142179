/** Numbers as people read them: sensible digits, units always, a minus that is a minus. */

const MINUS = "−";

/**
 * @param {number} value
 * @param {number} digits After the point.
 * @returns {string} Never "-0".
 */
export function numberText(value, digits = 0) {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

/**
 * @param {number} metres
 * @returns {string} "845 m", "9.71 km", "33.4 km", "1234 km": three figures or more, never false ones.
 */
export function lengthText(metres) {
  if (metres < 1) {
    return `${numberText(metres, 2)} m`;
  }
  if (metres < 999.5) {
    return `${numberText(metres, metres < 9.995 ? 2 : metres < 99.95 ? 1 : 0)} m`;
  }
  const km = metres / 1000;
  return `${numberText(km, km < 9.995 ? 2 : km < 99.95 ? 1 : 0)} km`;
}

/**
 * @param {number} degrees
 * @param {number} [digits]
 * @returns {string} "−27.4182°"
 */
export function degreesText(degrees, digits = 4) {
  return `${numberText(degrees, digits)}°`;
}

/**
 * @param {number} metresPerPx
 * @returns {string} "118 m/px"
 */
export function resolutionText(metresPerPx) {
  return `${lengthText(metresPerPx)}/px`;
}

/**
 * @param {number} zoom Of the map.
 * @param {number} nativeZoom The zoom at which a screen pixel is a pixel of the image.
 * @returns {string} "native", "2×", "⅛×"
 */
export function magnificationText(zoom, nativeZoom) {
  const step = zoom - nativeZoom;
  if (Math.abs(step) < 0.01) {
    return "native";
  }
  if (step > 0) {
    return `${numberText(2 ** step, Number.isInteger(step) ? 0 : 1)}×`;
  }
  const parts = 2 ** -step;
  const written = { 2: "½", 4: "¼", 8: "⅛" }[parts];
  return written ? `${written}×` : `1/${numberText(parts, Number.isInteger(step) ? 0 : 1)}×`;
}

/**
 * @param {number} value Of a layer under the cursor.
 * @param {string|null} unit
 * @returns {string} "−1,234 m" without the comma: digits stay narrow and copyable.
 */
export function valueText(value, unit) {
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 5;
  return `${numberText(value, digits)}${unit ? (unit === "°" ? unit : ` ${unit}`) : ""}`;
}
