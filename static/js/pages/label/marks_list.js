/** My marks of this tile as a list, and the bar for the selected one. */

import { lengthText } from "tektite/geo/format";
import { resize } from "tektite/draw/nudge";
import { el, find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";

/**
 * @param {object} needs
 * @param {import("tektite/draw/workspace").Workspace} needs.workspace
 * @param {import("tektite/pages/label/toolbar").Toolbar} needs.toolbar
 */
export function showMarks({ workspace, toolbar }) {
  const { marks, map } = workspace;
  const list = find("#marks");
  const update = () => {
    const standing = marks.standing();
    const focused = document.activeElement?.dataset?.mark;
    find("#marks-count").textContent = String(standing.length);
    find("#marks-none").hidden = standing.length > 0;
    list.replaceChildren(...standing.map((mark) => rowOf(mark, mark === marks.selected)));
    // The list was made anew: whoever went through it by keyboard stays where they were.
    list.querySelector(`[data-mark="${focused}"]`)?.focus();
    showSelection(marks.selected);
  };
  list.addEventListener("click", (event) => {
    const uid = event.target.closest("[data-mark]")?.dataset.mark;
    const mark = marks.byUid.get(uid);
    if (mark) {
      marks.select(uid);
      map.reveal([mark.lon, mark.lat]);
    }
  });
  marks.addEventListener("change", update);
  toolbar.addEventListener("change", update);
  bindSelection(workspace);
}

function rowOf(mark, isSelected) {
  const size = lengthText(mark.diameter_m);
  const button = el(
    "button",
    { type: "button", class: "mark", "data-mark": mark.uid, "aria-pressed": String(isSelected) },
    el("i", { class: "dot", "aria-hidden": "true" }),
    el("span", {}, gettext("Crater"), mark.uncertain && el("span", { class: "faint" }, ` ${gettext("uncertain")}`)),
    el("span", { class: "mono" }, size),
  );
  return el("li", {}, button);
}

function showSelection(mark) {
  find("#selection").hidden = !mark;
  if (mark) {
    find("#selection-size").textContent = interpolate(gettext("⌀ %(size)s"), { size: lengthText(mark.diameter_m) });
    find("#doubt").setAttribute("aria-pressed", String(mark.uncertain));
  }
}

function bindSelection(workspace) {
  const { marks, editor } = workspace;
  for (const button of document.querySelectorAll("[data-resize]")) {
    button.addEventListener("click", () => resize(workspace, Number(button.dataset.resize)));
  }
  find("#doubt").addEventListener("click", () => toggleDoubt(workspace));
  find("#delete").addEventListener("click", () => marks.selected && editor.remove(marks.selected.uid));
}

/** @param {import("tektite/draw/workspace").Workspace} workspace */
export function toggleDoubt({ marks, editor }) {
  const mark = marks.selected;
  if (mark) {
    editor.change(mark.uid, { uncertain: !mark.uncertain });
  }
}
