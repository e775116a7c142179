/** The bar of what the server did not take: what it is, and whether to try it again or to throw it away. */

import { find } from "tektite/lib/dom";
import { gettext } from "tektite/lib/i18n";

/**
 * @param {object} needs
 * @param {import("tektite/lib/outbox").Outbox} needs.queue
 * @param {string} needs.name The bar's id; its parts are called after it: -text, -retry, -discard.
 * @param {(parked: object[]) => string} needs.textOf
 * @param {string} needs.sure On the button before the second press.
 */
export function showParked({ queue, name, textOf, sure }) {
  const bar = find(`#${name}`);
  const discard = find(`#${name}-discard`);
  let isAsked = false;
  const update = () => {
    const { parked } = queue;
    bar.hidden = !parked.length;
    isAsked &&= parked.length > 0;
    find(`#${name}-text`).textContent = parked.length ? textOf(parked) : "";
    discard.textContent = isAsked ? sure : gettext("Discard…");
  };
  find(`#${name}-retry`).addEventListener("click", () => queue.retryParked());
  // Twice: what somebody did is never gone by one slip of the hand.
  discard.addEventListener("click", () => {
    if (isAsked) {
      queue.discardParked();
    } else {
      isAsked = true;
      update();
    }
  });
  queue.addEventListener("change", update);
}
