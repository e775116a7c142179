/** Paints the marks: mine, the selected one with its read-out and, in the select tool, its handles. */

import { lengthText } from "tektite/geo/format";
import { handlesOf } from "tektite/draw/select_tool";

/**
 * @param {import("tektite/draw/workspace").Workspace} workspace
 * @param {boolean} withHandles
 */
export function paintMarks({ map, rings, marks }, withHandles) {
  const { selected } = marks;
  const items = marks.standing().map((mark) => itemOf(mark, mark === selected, withHandles, map.radiusM));
  // The selected one last, so that nothing lies over its handles.
  rings.set("mine", [...items.filter((item) => !item.selected), ...items.filter((item) => item.selected)]);
}

function itemOf(mark, selected, withHandles, radiusM) {
  const doubt = mark.uncertain ? "?" : "";
  if (!selected) {
    return { circle: mark, look: "mine", label: doubt };
  }
  const { center, rim } = handlesOf(mark, radiusM);
  return {
    circle: mark,
    look: "mine",
    selected,
    label: `${lengthText(mark.diameter_m)}${doubt && ` ${doubt}`}`,
    handles: withHandles ? [center, ...rim] : [],
  };
}
