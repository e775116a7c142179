/** What the cutting page says. */

import { diameterOf, LEAST_POINTS } from "tektite/geo/outline";
import { gettext, interpolate, ngettext } from "tektite/lib/i18n";

/** @param {number} px @param {number|null} nmPerPx @returns {string} "23.4 px · 1.17 µm" */
export function diameterText(px, nmPerPx) {
  const pixels = interpolate(gettext("%(n)s px"), { n: px.toFixed(px < 100 ? 1 : 0) });
  return nmPerPx ? `${pixels} · ${Number(((px * nmPerPx) / 1000).toPrecision(3))} µm` : pixels;
}

/**
 * @param {import("tektite/pages/foil_cut/drawing").Drawing} drawing
 * @param {string} trouble Of a closed outline, see geo/outline.
 * @param {import("tektite/geo/outline").Limits} limits
 * @returns {string} What to do next, or what is wrong.
 */
export function hintText({ points, isClosed, state }, trouble, limits) {
  if (!points.length) {
    return gettext("Click or tap around the crater, a little outside of its rim.");
  }
  if (points.length < LEAST_POINTS) {
    const left = LEAST_POINTS - points.length;
    return interpolate(ngettext("%(n)s more point at least.", "%(n)s more points at least.", left), { n: left });
  }
  if (!isClosed) {
    return gettext("Close it: double-click, press Enter, or go to the first point.");
  }
  if (trouble) {
    return troubleText(trouble, points, limits);
  }
  return state.mends
    ? gettext("Drag its points. What you keep replaces the cut-out it was made from.")
    : gettext("Drag its points; a click on an edge sets another one. Then keep it.");
}

/** @returns {string} A sentence with the limit and the remedy. */
export function troubleText(trouble, points, limits) {
  const values = {
    n: points.length,
    most: limits.points,
    size: diameterOf(points).toFixed(1),
    least: limits.smallest_px,
    width: limits.room?.width,
    height: limits.room?.height,
  };
  const words = {
    points: gettext("An outline needs three points at least; go on around the crater."),
    many: gettext("%(n)s points are too many; %(most)s at most are kept. Delete some."),
    outside: gettext("A point lies outside of the picture; drag it in."),
    crossing: gettext("The outline crosses or touches itself, where it is red; move a point."),
    too_small: gettext("This is %(size)s px across; less than %(least)s px show no rim. Cut out a larger crater."),
    too_large: gettext("This is larger than the smallest blank picture, %(width)s × %(height)s px, and could not be pasted. Cut out a smaller crater."),
  };
  return interpolate(words[trouble], values);
}

/** @param {number} waiting @param {"retrying"|"stopped"|"page"} why @param {string} said @returns {string} */
export function unsentText(waiting, why, said) {
  const values = { n: waiting, said };
  if (why === "page") {
    return interpolate(
      ngettext(
        "This browser keeps nothing: its storage is full or forbidden. %(n)s cut-out is in this page alone: leave it open.",
        "This browser keeps nothing: its storage is full or forbidden. %(n)s cut-outs are in this page alone: leave it open.",
        waiting,
      ),
      values,
    );
  }
  const kept = waiting
    ? ngettext("%(n)s change waits in this browser", "%(n)s changes wait in this browser", waiting)
    : gettext("Nothing is lost");
  const sentence = why === "stopped" ? gettext("%(said)s %(kept)s.") : gettext("%(said)s %(kept)s and will be sent when it answers again.");
  return interpolate(sentence, { said, kept: interpolate(kept, values) });
}

/** @param {{parked: {message: string}}[]} parked @returns {string} */
export function refusedText(parked) {
  const why = [...new Set(parked.map(({ parked: { message } }) => message))].join(" ");
  const n = parked.length;
  return interpolate(
    ngettext("The server did not take a cut-out: %(why)s", "The server did not take %(n)s changes: %(why)s", n),
    { n, why },
  );
}
