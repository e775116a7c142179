/** Curves of a run: losses on their own scale, shares from 0 to 1, against the steps. */

import { el } from "tektite/lib/dom";
import { pathThrough, svg } from "tektite/lib/svg";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [720, 260, 40, 24, 10];

/** @typedef {Map<string, [number, number][]>} Curves Name → points (step, value), in the order of the steps. */

/**
 * @param {SVGElement} plot
 * @param {HTMLElement} legend
 * @param {Curves} curves
 */
export function drawCurves(plot, legend, curves) {
  const all = [...curves.values()].flat();
  const lastStep = Math.max(1, ...all.map(([step]) => step));
  const losses = [...curves].filter(([name]) => isLoss(name)).flatMap(([, points]) => points.map(([, value]) => value));
  const highestLoss = Math.max(...losses, 1e-9);
  const x = (step) => LEFT + (step / lastStep) * (WIDTH - LEFT);
  const y = (share) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
  const lines = [...curves].map(([name, points], i) => {
    const scale = isLoss(name) ? highestLoss : 1;
    return svg("path", {
      class: `curve curve-${i % 4}`,
      d: pathThrough(points.map(([step, value]) => [x(step), y(value / scale)])),
    });
  });
  plot.replaceChildren(
    ...[0, 0.5, 1].flatMap((share) => [
      svg("path", { class: "graticule", d: `M${LEFT} ${y(share)}H${WIDTH}` }),
      svg("text", { x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, share.toFixed(1)),
    ]),
    svg("text", { x: WIDTH, y: HEIGHT - 6, "text-anchor": "end" }, `${lastStep.toLocaleString("en")} steps`),
    ...lines,
  );
  legend.replaceChildren(
    ...[...curves].map(([name, points], i) =>
      el("span", { class: `curve-${i % 4}` }, `— ${name.replaceAll("_", " ")} ${points.at(-1)[1].toFixed(3)}`),
    ),
  );
}

/** @type {(name: string) => boolean} */
const isLoss = (name) => name.includes("loss");
