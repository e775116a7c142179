/** Bars that say why answers wait, which ones the server did not take, and what to do about either. */

import { find } from "tektite/lib/dom";
import { gettext } from "tektite/lib/i18n";
import { showParked } from "tektite/lib/parked_bar";
import * as ofAnswers from "tektite/pages/triage/words";

/**
 * @param {object} needs
 * @param {import("tektite/lib/answer_queue").AnswerQueue} needs.queue
 * @param {import("tektite/pages/sign_in").SignInDialog} needs.signIn
 * @param {() => void} needs.onStopped The server wants something of the person.
 * @param {{unsentText: Function, refusedText: Function}} [needs.words] Of what waits; of answers where left out.
 */
export function showTrouble({ queue, signIn, onStopped, words = ofAnswers }) {
  showUnsent(queue, signIn, onStopped, words);
  showParked({ queue, name: "refused", textOf: words.refusedText, sure: gettext("Discard for good") });
  globalThis.addEventListener("beforeunload", (event) => {
    if (queue.unkept) {
      event.preventDefault();
    }
  });
}

function showUnsent(queue, signIn, onStopped, { unsentText }) {
  const bar = find("#unsent");
  const now = find("#unsent-now");
  let wasStopped = false;
  now.addEventListener("click", () => (queue.error?.status === 401 ? signIn.ask() : queue.resume()));
  const update = () => {
    const waiting = queue.waiting.length;
    const isAtRisk = !queue.log.isDurable && queue.unkept > 0;
    // A try under way keeps the bar as it is, so that it does not blink.
    if (queue.state === "sending" && !bar.hidden && queue.error) {
      return;
    }
    const isStopped = queue.state === "stopped";
    bar.hidden = !isAtRisk && !isStopped && queue.state !== "retrying";
    if (!bar.hidden) {
      find("#unsent-text").textContent = unsentText(
        waiting,
        isAtRisk ? "page" : isStopped ? "stopped" : "retrying",
        queue.error?.message ?? "",
      );
      now.textContent = queue.error?.status === 401 ? gettext("Sign in") : gettext("Try now");
      now.hidden = isAtRisk;
    }
    if (isStopped && !wasStopped) {
      onStopped(queue.error);
    }
    wasStopped = isStopped;
  };
  queue.addEventListener("change", update);
}
