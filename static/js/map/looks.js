/** How features look: colours from the style sheet, always doubled by a line style, on a dark casing. */

const style = () => getComputedStyle(document.documentElement);
const colour = (name) => style().getPropertyValue(name).trim();

/**
 * @typedef {object} Look
 * @property {string} stroke
 * @property {number[]} dash
 * @property {number} width
 */

/** @returns {Record<"mine"|"sketch"|"small"|"proposed"|"confirmed"|"rejected"|"others", Look>} */
export function readLooks() {
  return {
    mine: { stroke: colour("--mine"), dash: [], width: 2.2 },
    sketch: { stroke: colour("--mine"), dash: [], width: 2.2 },
    small: { stroke: colour("--text"), dash: [0.1, 5], width: 2.6 },
    proposed: { stroke: colour("--proposed"), dash: [7, 5], width: 2.2 },
    confirmed: { stroke: colour("--confirmed"), dash: [], width: 2.2 },
    rejected: { stroke: colour("--rejected"), dash: [0.1, 5], width: 2.6 },
    others: { stroke: colour("--others"), dash: [], width: 1.8 },
  };
}

/**
 * @param {string} origin Of a catalogue.
 * @param {string} status Of a feature in it.
 * @returns {keyof ReturnType<typeof readLooks>}
 */
export function lookOf(origin, status) {
  if (status === "rejected") {
    return "rejected";
  }
  if (origin === "predicted" && status !== "confirmed") {
    return "proposed";
  }
  return origin === "imported" ? "others" : "confirmed";
}
