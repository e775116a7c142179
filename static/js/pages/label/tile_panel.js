/** Where I am and what comes next: the head and the foot of the side panel, and the states without a tile. */

import { lengthText } from "tektite/geo/format";
import { find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";

const NO_TILE = {
  finished: {
    title: gettext("You have searched every tile there is for you"),
    text: gettext("Thank you. Nothing here needs you any more; tiles may come back if the campaign grows."),
  },
  waiting: {
    title: gettext("Every open tile is with somebody else"),
    text: gettext("One becomes free when its time runs out or it is given back. Look again in a while."),
  },
};

/**
 * @param {object} needs
 * @param {import("tektite/pages/label/session").Session} needs.session
 * @param {{min_diameter_m: number}} needs.campaign
 * @param {import("tektite/draw/marks").Marks} needs.marks
 * @param {import("tektite/lib/save_queue").SaveQueue} needs.queue
 */
export function showTile({ session, campaign, marks, queue }) {
  const submit = find("#submit");
  const skip = find("#skip");
  if (campaign.min_diameter_m > 0) {
    find("#minimum").textContent = interpolate(gettext(" · craters ≥ %(size)s"), {
      size: lengthText(campaign.min_diameter_m),
    });
  }
  const update = () => {
    const { visit, progress, isBusy } = session;
    find("#tile-title").textContent = visit
      ? interpolate(gettext("Tile %(number)s of %(of)s"), visit.tile)
      : gettext("No tile");
    showProgress(progress);
    submit.disabled = !visit || isBusy;
    skip.disabled = !visit || isBusy;
    find("#submit-text").textContent = submitText(isBusy, marks.standing().length, queue.waiting.length);
    find("#marks-section").hidden = !visit;
    showEmpty(visit ? null : session.reason);
  };
  session.addEventListener("change", update);
  marks.addEventListener("change", update);
  queue.addEventListener("change", update);
  submit.addEventListener("click", () => session.submit());
  find("#look-again").addEventListener("click", () => session.lookAgain());
  askReason(session, skip);
  openSheet();
}

function showProgress({ tiles_settled, tiles }) {
  const bar = find("#progress");
  bar.max = Math.max(tiles, 1);
  bar.value = tiles_settled;
  bar.title = interpolate(gettext("%(tiles_settled)s of %(tiles)s tiles settled"), { tiles_settled, tiles });
}

function submitText(isBusy, count, unsaved) {
  if (isBusy) {
    return unsaved ? gettext("Saving first…") : gettext("One moment…");
  }
  return count ? gettext("Searched, next") : gettext("Searched, empty");
}

/** @param {"finished"|"waiting"|{title: string, text: string}|null} reason Why there is no tile; null: there is one. */
function showEmpty(reason) {
  find("#no-tile").hidden = !reason;
  if (reason) {
    const { title, text } = NO_TILE[reason] ?? reason;
    find("#no-tile-title").textContent = title;
    find("#no-tile-text").textContent = text;
    find("#look-again").classList.toggle("primary", reason === "waiting");
    find("#leave").classList.toggle("primary", reason !== "waiting");
  }
}

function askReason(session, button) {
  const dialog = find("#skip-dialog");
  const form = find("form", dialog);
  button.addEventListener("click", () => {
    dialog.returnValue = "";
    form.reset();
    dialog.showModal();
  });
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "skip") {
      const { reason, note } = Object.fromEntries(new FormData(form));
      const leaveTo = reason === "no time" ? find("#leave").href : null;
      session.skip(note ? `${reason}: ${note}` : reason, leaveTo);
    }
  });
}

/** On a phone the panel is a sheet that opens over the map. */
function openSheet() {
  const handle = find("#sheet-handle");
  handle.addEventListener("click", () => {
    const isOpen = find("#side").classList.toggle("open");
    handle.setAttribute("aria-expanded", String(isOpen));
  });
}
