/** Paints the marks: mine, the selected one with its read-out and, in the select tool, its handles. */

import { lengthText } from "tektite/geo/format";
import { handlesOf } from "tektite/draw/select_tool";

/**
 * @param {import("tektite/draw/workspace").Workspace} workspace
 * @returns {(withHandles: boolean) => void} Paints them as they are now.
 */
export function marksPainter({ map, rings, live, marks }) {
  /** @type {import("tektite/draw/marks").Mark[]} */
  let still = [];
  return (withHandles) => {
    const { selected } = marks;
    const others = marks.standing().filter((mark) => mark !== selected);
    // Nudging one crater leaves a thousand others as they are.
    if (others.length !== still.length || others.some((mark, i) => mark !== still[i])) {
      still = others;
      rings.set("mine", others.map((mark) => ({ circle: mark, look: "mine", label: mark.uncertain ? "?" : "" })));
    }
    live.set("selected", selected ? [selectedItem(selected, withHandles, map.radiusM)] : []);
  };
}

function selectedItem(mark, withHandles, radiusM) {
  const { center, rim } = handlesOf(mark, radiusM);
  return {
    circle: mark,
    look: "mine",
    selected: true,
    label: `${lengthText(mark.diameter_m)}${mark.uncertain ? " ?" : ""}`,
    handles: withHandles ? [center, ...rim] : [],
  };
}
