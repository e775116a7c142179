/** Curves of a run against its steps: losses on a scale of their own on the left, shares from 0 to 1 on the right. */

import { el } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { pathThrough, svg } from "tektite/lib/svg";

const [HEIGHT, LEFT, RIGHT, BOTTOM, TOP] = [260, 40, 30, 24, 10];
const IS_SHARE = /recall|precision|f1|sensitivity|specificity/i;

/** @typedef {Map<string, [number, number][]>} Curves Name → points (step, value), in the order of the steps. */

/**
 * @param {SVGElement} plot
 * @param {HTMLElement} legend
 * @param {Curves} curves
 * @returns {boolean} Whether there is anything to see: one point is no curve.
 */
export function drawCurves(plot, legend, curves) {
  const shown = [...curves].filter(([, points]) => points.length > 1);
  if (!shown.length) {
    return false;
  }
  // One unit is one pixel of the screen, so that the figures are as large as all other text.
  const width = plot.parentElement.clientWidth || 720;
  plot.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const lastStep = Math.max(...shown.flatMap(([, points]) => points.map(([step]) => step)));
  const losses = shown.filter(([name]) => !IS_SHARE.test(name));
  const top = roundUp(Math.max(...losses.flatMap(([, points]) => points.map(([, value]) => value)), 1e-6));
  const x = (step) => LEFT + (step / lastStep) * (width - LEFT - RIGHT);
  const y = (share) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
  const scaleOf = (name) => (IS_SHARE.test(name) ? 1 : top);
  plot.replaceChildren(
    ...[0, 0.5, 1].flatMap((share) => [
      svg("path", { class: "graticule", d: `M${LEFT} ${y(share)}H${width - RIGHT}` }),
      losses.length ? svg("text", { x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, short(share * top)) : "",
      losses.length < shown.length ? svg("text", { x: width - RIGHT + 6, y: y(share) + 4 }, share.toFixed(1)) : "",
    ]),
    svg("text", { x: width - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, stepsText(lastStep)),
    ...shown.map(([name, points], i) =>
      svg("path", {
        class: `curve curve-${i}`,
        d: pathThrough(points.map(([step, value]) => [x(step), y(value / scaleOf(name))])),
      }),
    ),
  );
  legend.replaceChildren(
    ...shown.map(([name, points], i) =>
      el("span", { class: `curve-${i}` }, `${name.replaceAll("_", " ")} `, el("b", {}, short(points.at(-1)[1]))),
    ),
  );
  return true;
}

/** @type {(steps: number) => string} */
const stepsText = (steps) => interpolate(gettext("step %(n)s"), { n: steps.toLocaleString("en") });

/** @type {(value: number) => string} */
const short = (value) => String(Number(value.toPrecision(2)));

/** @type {(value: number) => number} The next of 1, 2, 5, 10, … at or above it. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}
