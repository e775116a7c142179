/** The keys of the triage page, in the one registry; every one of them has a button, and every button a key. */

import { gettext } from "tektite/lib/i18n";
import { KeyRegistry } from "tektite/lib/keys";
import { showKeys } from "tektite/lib/keys_dialog";
import { STEPS, viewKeys } from "tektite/pages/picture_keys";

/**
 * @param {object} needs
 * @param {import("tektite/pages/triage/judging").Judging} needs.judging
 * @param {import("tektite/pages/triage/foil").Foil} needs.foil
 * @param {() => boolean} needs.isJudging Whether pictures are on the screen, and not the tutorial.
 * @param {() => void} needs.undo
 * @param {() => void} needs.nextContrast
 * @param {() => void} needs.invert
 * @param {(by: number) => void} needs.turnFocus
 * @param {() => void} needs.enter Crater, mark, or go on: what comes next.
 */
export function listen({ judging, foil, isJudging, undo, nextContrast, invert, turnFocus, enter }) {
  const keys = new KeyRegistry();
  const asked = () => isJudging() && judging.mode === "asking";
  const looking = () => isJudging() && foil.showing !== null;
  const give = (answer) => () => judging.give(answer);
  const answers = gettext("Answers");
  keys.add(
    { keys: ["c"], group: answers, title: gettext("Crater, where it is marked"), run: give("crater"), when: asked },
    {
      keys: ["Enter"],
      group: answers,
      title: gettext("Mark at the cross; then: crater; after being told: go on"),
      run: enter,
      when: isJudging,
    },
    { keys: ["n", "Space"], group: answers, title: gettext("Nothing"), run: give("nothing"), when: isJudging },
    { keys: ["u"], group: answers, title: gettext("Cannot tell, or a bad picture"), run: give("cannot_tell"), when: asked },
    { keys: ["Backspace"], group: answers, title: gettext("Undo the last answer"), run: undo, when: isJudging },
  );
  const marks = gettext("Marks");
  keys.add(
    {
      keys: Object.keys(STEPS),
      group: marks,
      title: gettext("Move the cross"),
      run: (event) => foil.moveCross(...STEPS[event.key], event.repeat),
      when: looking,
      repeat: true,
    },
    {
      keys: ["m"],
      group: marks,
      title: gettext("Mark at the cross, or take the mark away"),
      run: () => foil.markCross(),
      when: looking,
    },
    { keys: ["Escape"], group: marks, title: gettext("Take all marks away"), run: () => foil.unmark(), when: asked },
  );
  const view = gettext("View");
  const hiding = gettext("Hide the marks while held");
  keys.add(...viewKeys({ stage: foil, looking, lighting: isJudging, group: view, hiding, nextContrast, invert, turnFocus }));
  keys.add({ keys: ["?"], group: view, title: gettext("All keys"), run: showKeys(keys) });
  keys.attach(window);
}
