/** What the triage page says: sentences from numbers, and nothing that flatters. */

import { gettext, interpolate, ngettext } from "tektite/lib/i18n";

/**
 * @typedef {object} Progress Of the server.
 * @property {number} answered
 * @property {number} today
 * @property {number} open About how many pictures still wait for this person.
 * @property {number} undo
 * @property {{right: number, of: number}|null} known Of known pictures whose answer was shown.
 */

/**
 * @param {Progress} progress
 * @param {number} [unsent] Answers that the server does not have yet.
 * @returns {string} "37 today · 214 in all · about 12,000 wait · 9 right of the 10 known pictures you were told about"
 */
export function progressText({ today, answered, open, known }, unsent = 0) {
  const parts = [
    interpolate(gettext("%(n)s today"), { n: whole(today + unsent) }),
    interpolate(gettext("%(n)s in all"), { n: whole(answered + unsent) }),
    open - unsent > 0 ? interpolate(gettext("about %(n)s wait"), { n: about(open - unsent) }) : gettext("none wait"),
  ];
  if (known?.of) {
    parts.push(
      interpolate(
        ngettext(
          "%(right)s right of the %(of)s known picture you were told about",
          "%(right)s right of the %(of)s known pictures you were told about",
          known.of,
        ),
        { right: whole(known.right), of: whole(known.of) },
      ),
    );
  }
  return parts.join(" · ");
}

/**
 * @param {{right: number, answered: number, needed: number, last: number}} practice
 * @returns {string} "Practice: 4 right among your last 8, and 6 are needed. You are told each answer."
 */
export function practiceText({ right, answered, needed, last }) {
  const values = { right: whole(right), needed: whole(needed), n: whole(Math.min(answered, last)), last: whole(last) };
  const so_far = answered
    ? interpolate(gettext("%(right)s right among your last %(n)s"), values)
    : gettext("nothing answered yet");
  const goal = interpolate(gettext("%(needed)s right of %(last)s opens the real pictures"), values);
  return interpolate(gettext("Practice: %(so_far)s; %(goal)s."), { so_far, goal });
}

/** @param {number} waiting @param {"retrying"|"stopped"|"page"} why @param {string} said @returns {string} */
export function unsentText(waiting, why, said) {
  const values = { n: whole(waiting), said };
  if (why === "page") {
    return interpolate(
      ngettext(
        "This browser keeps nothing: its storage is full or forbidden. %(n)s answer is in this page alone: leave it open.",
        "This browser keeps nothing: its storage is full or forbidden. %(n)s answers are in this page alone: leave it open.",
        waiting,
      ),
      values,
    );
  }
  const kept = waiting
    ? interpolate(
        ngettext("%(n)s answer waits in this browser", "%(n)s answers wait in this browser", waiting),
        values,
      )
    : gettext("Nothing is lost");
  if (why === "stopped") {
    return interpolate(gettext("%(said)s %(kept)s."), { said, kept });
  }
  return interpolate(gettext("%(said)s %(kept)s and will be sent when it answers again."), { said, kept });
}

/** @param {{parked: {message: string}}[]} parked @returns {string} */
export function refusedText(parked) {
  const why = [...new Set(parked.map(({ parked: { message } }) => message))].join(" ");
  const text = ngettext("%(n)s answer was not taken: %(why)s", "%(n)s answers were not taken: %(why)s", parked.length);
  return `${interpolate(text, { n: whole(parked.length), why })} ${gettext("Kept in this browser until you decide.")}`;
}

/** @param {number} marks @returns {string} Of the button. */
export function craterLabel(marks) {
  return marks > 1 ? interpolate(gettext("%(n)s craters here"), { n: marks }) : gettext("Crater here");
}

/** @param {number} n @returns {string} With commas. */
export const whole = (n) => n.toLocaleString("en");

/** @param {number} n @returns {string} Two figures are enough of a number that others change as well. */
export function about(n) {
  if (n < 100) {
    return whole(n);
  }
  const step = 10 ** (Math.floor(Math.log10(n)) - 1);
  return whole(Math.round(n / step) * step);
}
