/** Keys by which a picture is looked at: the same on every page that shows one large. */

import { gettext } from "tektite/lib/i18n";

/** How far a press of an arrow goes, right and down. */
export const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
/** By how much a press enlarges. */
export const STEP = 1.5;
const PAN = 0.15;

/**
 * @param {object} needs
 * @param {import("tektite/pages/picture_stage").PictureStage} needs.stage
 * @param {() => boolean} needs.looking Whether there is a picture.
 * @param {() => boolean} [needs.lighting] Whether its light can be changed.
 * @param {string} needs.group Where the panel of keys lists them.
 * @param {string} needs.hiding What is hidden while h is held.
 * @param {() => void} needs.nextContrast
 * @param {() => void} needs.invert
 * @param {(by: number) => void} needs.turnFocus
 * @returns {import("tektite/lib/keys").Binding[]}
 */
export function viewKeys({ stage, looking, lighting, group, hiding, nextContrast, invert, turnFocus }) {
  return [
    {
      keys: ["+", "="],
      shown: ["+"],
      group,
      title: gettext("Larger"),
      run: () => stage.zoom(STEP),
      when: looking,
      repeat: true,
    },
    { keys: ["-"], group, title: gettext("Smaller"), run: () => stage.zoom(1 / STEP), when: looking, repeat: true },
    { keys: ["0"], group, title: gettext("The whole picture"), run: () => stage.whole(), when: looking },
    {
      keys: Object.keys(STEPS).map((key) => `Shift+${key}`),
      shown: ["Shift+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowUp", "Shift+ArrowDown"],
      group,
      title: gettext("Move the enlarged picture"),
      run: (event) => stage.pan(...STEPS[event.key].map((step) => -PAN * step)),
      when: looking,
      repeat: true,
    },
    { keys: ["b"], group, title: gettext("More contrast, and round again"), run: nextContrast, when: lighting },
    { keys: ["i"], group, title: gettext("Invert"), run: invert, when: lighting },
    { keys: ["f"], group, title: gettext("Next focus"), run: () => turnFocus(1), when: looking },
    { keys: ["Shift+f"], group, title: gettext("Focus before"), run: () => turnFocus(-1), when: looking },
    {
      keys: ["h"],
      group,
      title: hiding,
      run: () => stage.element.classList.add("bare"),
      release: () => stage.element.classList.remove("bare"),
    },
  ];
}
