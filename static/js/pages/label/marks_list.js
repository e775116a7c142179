/** My marks of this tile as a list, and the bar for the selected one. */

import { lengthText } from "tektite/geo/format";
import { resize } from "tektite/draw/nudge";
import { el, find } from "tektite/lib/dom";
import { gettext, interpolate, ngettext } from "tektite/lib/i18n";

// The largest; on the map they all are.
const MOST_LISTED = 150;

/**
 * @param {object} needs
 * @param {import("tektite/draw/workspace").Workspace} needs.workspace
 * @param {import("tektite/pages/label/toolbar").Toolbar} needs.toolbar
 */
export function showMarks({ workspace, toolbar }) {
  const { marks, map } = workspace;
  const list = find("#marks");
  /** @type {Map<string, {mark: object, isSelected: boolean, row: HTMLElement}>} */
  let rows = new Map();
  const update = () => {
    const { selected } = marks;
    const standing = marks.standing();
    find("#marks-count").textContent = String(standing.length);
    find("#marks-none").hidden = standing.length > 0;
    const before = rows;
    const listed = standing.filter((mark, i) => i < MOST_LISTED || mark === selected);
    showMore(standing.length - listed.length);
    rows = new Map(listed.map((mark) => [mark.uid, keptRow(before.get(mark.uid), mark, mark === selected)]));
    arrange(list, [...rows.values()].map(({ row }) => row));
    showSelection(selected);
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

function showMore(count) {
  const more = find("#marks-more");
  more.hidden = count === 0;
  more.textContent = interpolate(
    ngettext("and %(count)s smaller one on the map", "and %(count)s smaller ones on the map", count),
    { count },
  );
}

/** The row as it was if nothing of it has changed: a thousand marks are not made anew for one. */
function keptRow(kept, mark, isSelected) {
  if (kept && kept.mark === mark && kept.isSelected === isSelected) {
    return kept;
  }
  const row = rowOf(mark, isSelected);
  if (kept?.row.contains(document.activeElement)) {
    // Whoever went through the list by keyboard stays where they were.
    queueMicrotask(() => row.firstChild.focus());
  }
  return { mark, isSelected, row };
}

/** Puts the rows in order, touching only what is out of place. */
function arrange(list, rows) {
  const wanted = new Set(rows);
  [...list.children].filter((row) => !wanted.has(row)).forEach((row) => row.remove());
  rows.forEach((row, i) => list.children[i] !== row && list.insertBefore(row, list.children[i] ?? null));
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
