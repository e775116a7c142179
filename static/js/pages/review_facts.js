/** What is known of a proposal: its figures, and the elevation across it. */

import { degreesText, lengthText, numberText, valueText } from "tektite/geo/format";
import { el } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { pathThrough, svg } from "tektite/lib/svg";

const [WIDTH, HEIGHT, MARGIN] = [320, 130, 18];

/**
 * @param {HTMLElement} list A dl.
 * @param {object} subject As the API gives it; those who judge blind get neither score nor reason.
 */
export function showFacts(list, subject) {
  const rows = [
    [gettext("Diameter"), lengthText(subject.diameter_m)],
    [gettext("Centre"), `${degreesText(subject.lon, 3)}, ${degreesText(subject.lat, 3)}`],
  ];
  if (subject.score !== null) {
    rows.push([gettext("Score"), numberText(subject.score, 2)]);
  }
  if (subject.uncertainty !== null) {
    rows.push([gettext("Uncertainty"), numberText(subject.uncertainty, 2)]);
  }
  if (subject.nearest) {
    const place = { name: subject.nearest.name, distance: lengthText(subject.nearest.distance_m) };
    rows.push([gettext("Nearest known"), interpolate(gettext("%(name)s, %(distance)s away"), place)]);
  }
  if (subject.why) {
    rows.push([gettext("Why now"), subject.why]);
  }
  list.replaceChildren(...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/**
 * @param {SVGElement} plot
 * @param {{distance_m: number[], elevation_m: (number|null)[]}} profile
 * @param {number} diameterM Where the proposed rim cuts the line.
 */
export function showProfile(plot, profile, diameterM) {
  const known = profile.elevation_m.filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const [first, last] = [profile.distance_m[0], profile.distance_m.at(-1)];
  const middle = (first + last) / 2;
  const x = (metres) => ((metres - first) / (last - first || 1)) * WIDTH;
  const y = (metres) => HEIGHT - MARGIN - ((metres - low) / (high - low || 1)) * (HEIGHT - 2 * MARGIN);
  const points = profile.distance_m
    .map((metres, i) => [metres, profile.elevation_m[i]])
    .filter(([, elevation]) => elevation !== null)
    .map(([metres, elevation]) => [x(metres), y(elevation)]);
  const rims = [middle - diameterM / 2, middle + diameterM / 2].map((metres) =>
    svg("path", { class: "profile-rim", d: `M${x(metres)} ${MARGIN - 8}V${HEIGHT - MARGIN + 8}` }),
  );
  plot.replaceChildren(
    ...rims,
    svg("path", { class: "profile-line", d: pathThrough(points) }),
    svg("text", { x: 0, y: 10 }, valueText(high, "m")),
    svg("text", { x: 0, y: HEIGHT - 3 }, valueText(low, "m")),
    svg("text", { x: WIDTH, y: HEIGHT - 3, "text-anchor": "end" }, lengthText(last - first)),
  );
}
