/** A crater that was changed here and elsewhere: the person says which of the two is right. */

import { degreesText, lengthText } from "tektite/geo/format";
import { el, find } from "tektite/lib/dom";
import { gettext } from "tektite/lib/i18n";

/**
 * @param {import("tektite/lib/save_steps").Save} save
 * @param {object} current As the server has it.
 * @returns {Promise<"mine"|"theirs">}
 */
export function choose(save, current) {
  const dialog = find("#conflict-dialog");
  const here = { ...current, ...save.shape, ...save.body, deleted: save.kind === "delete" };
  find("#conflict-text").textContent = gettext("In another tab or on another device. Which of the two is right?");
  find("#conflict-rows").replaceChildren(
    row(gettext("Diameter"), here, current, ({ diameter_m }) => lengthText(diameter_m)),
    row(gettext("Centre"), here, current, ({ lon, lat }) => `${degreesText(lon)} ${degreesText(lat)}`),
    row(gettext("State"), here, current, stateText),
  );
  dialog.showModal();
  return new Promise((resolve) => {
    // Esc is no answer: nothing is overwritten without a word, so it asks again.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "theirs" ? "theirs" : "mine"), { once: true });
  });
}

function row(title, here, elsewhere, text) {
  return el("tr", {}, el("th", { scope: "row" }, title), el("td", {}, text(here)), el("td", {}, text(elsewhere)));
}

function stateText({ deleted, uncertain }) {
  if (deleted) {
    return gettext("deleted");
  }
  return uncertain ? gettext("uncertain") : gettext("certain");
}
