/** The picture's cut-outs beside it, each with what can be done with it. */

import { el, find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { diameterText } from "tektite/pages/foil_cut/words";

/**
 * @param {object} needs
 * @param {import("tektite/pages/foil_cut/cuts").Cuts} needs.cuts
 * @param {number|null} needs.nmPerPx
 * @param {(cut: import("tektite/pages/foil_cut/cuts").CutOut) => void} needs.mend
 * @param {(cut: import("tektite/pages/foil_cut/cuts").CutOut) => void} needs.withdraw
 */
export function showList({ cuts, nmPerPx, mend, withdraw }) {
  const item = (cut) => {
    const size = diameterText(cut.diameter_px, nmPerPx);
    const about = (words) => interpolate(words, { size });
    const press = (label, name, run) =>
      el("button", { class: "button small quiet", type: "button", "aria-label": about(name), disabled: !cut.url, onclick: () => run(cut) }, label);
    const image = cut.url && el("img", { src: cut.url, alt: "", width: 56, height: 56 });
    const [px, um] = size.split(" · ");
    const who = cut.url ? [um, cut.by].filter(Boolean).join(" · ") : gettext("being sent…");
    return el(
      "li",
      { "data-cut": cut.uid, class: cut.withdrawn_at ? "is-withdrawn" : null },
      el("span", { class: "cut-picture" }, image),
      el("span", { class: "cut-about" }, el("b", {}, px), el("span", { class: "muted small truncate" }, who)),
      el(
        "span",
        { class: "cut-presses" },
        ...(cut.withdrawn_at
          ? [press(gettext("Take back"), gettext("Take back: %(size)s"), (one) => cuts.restore(one))]
          : [
              press(gettext("Mend"), gettext("Mend: %(size)s"), mend),
              press(gettext("Withdraw"), gettext("Withdraw: %(size)s"), withdraw),
            ]),
      ),
    );
  };
  const update = () => {
    const { standing, withdrawn } = cuts;
    find("#cut-list").replaceChildren(...[...standing].reverse().map(item));
    find("#cut-count").textContent = String(standing.length);
    find("#cut-none").hidden = standing.length > 0;
    find("#withdrawn").hidden = !withdrawn.length;
    find("#withdrawn-list").replaceChildren(...withdrawn.map(item));
  };
  cuts.addEventListener("change", update);
  update();
}
