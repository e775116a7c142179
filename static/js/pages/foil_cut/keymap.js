/** The keys of the cutting page, in the one registry: all of it can be done without a pointer. */

import { gettext } from "tektite/lib/i18n";
import { KeyRegistry } from "tektite/lib/keys";
import { showKeys } from "tektite/lib/keys_dialog";
import { STEPS, viewKeys } from "tektite/pages/picture_keys";

/**
 * @param {object} needs
 * @param {import("tektite/pages/foil_cut/stage").CutStage} needs.stage
 * @param {import("tektite/pages/foil_cut/drawing").Drawing} needs.drawing
 * @param {() => void} needs.enter Close, or keep: what comes next.
 * @param {() => void} needs.keep
 * @param {() => void} needs.nextContrast
 * @param {() => void} needs.invert
 * @param {(by: number) => void} needs.turnFocus
 */
export function listen({ stage, drawing, enter, keep, nextContrast, invert, turnFocus }) {
  const keys = new KeyRegistry();
  const hasPoints = () => !drawing.isEmpty;
  const looking = () => stage.view !== null;
  const outline = gettext("Outline");
  keys.add(
    {
      keys: Object.keys(STEPS),
      group: outline,
      title: gettext("Move the cross, or the chosen point of a closed outline"),
      run: (event) => stage.step(...STEPS[event.key], event.repeat),
      when: looking,
      repeat: true,
    },
    {
      keys: ["Space", "m"],
      group: outline,
      title: gettext("A point at the cross; at the first one: close"),
      run: () => stage.pointAtCross(),
      when: looking,
    },
    { keys: ["Enter"], group: outline, title: gettext("Close; closed: keep the cut-out"), run: enter, when: looking },
    { keys: ["Mod+Enter"], group: outline, title: gettext("Keep the cut-out"), run: keep, when: looking },
    { keys: ["."], group: outline, title: gettext("Choose the next point"), run: () => drawing.chooseNext(1), when: hasPoints },
    { keys: [","], group: outline, title: gettext("Choose the point before"), run: () => drawing.chooseNext(-1), when: hasPoints },
    {
      keys: ["Delete", "Backspace"],
      group: outline,
      title: gettext("Delete the chosen point, or the last one"),
      run: () => drawing.remove(),
      when: hasPoints,
    },
    { keys: ["Mod+z"], group: outline, title: gettext("Undo"), run: () => drawing.undo() },
    { keys: ["Mod+Shift+z", "Mod+y"], group: outline, title: gettext("Redo"), run: () => drawing.redo() },
    { keys: ["Escape"], group: outline, title: gettext("Abandon the outline"), run: () => drawing.abandon(), when: hasPoints },
  );
  const view = gettext("View");
  const hiding = gettext("Hide the outlines while held");
  keys.add(...viewKeys({ stage, looking, group: view, hiding, nextContrast, invert, turnFocus }));
  keys.add({ keys: ["?"], group: view, title: gettext("All keys"), run: showKeys(keys) });
  keys.attach(window);
}
