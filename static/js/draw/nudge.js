/** Small steps by keys on the selected crater: a pixel to the side, a few per cent in size. */

import { misfitText } from "tektite/draw/workspace";

/** @typedef {import("tektite/draw/workspace").Workspace} Workspace */

/**
 * @param {Workspace} workspace
 * @param {number} dx Screen pixels to the right.
 * @param {number} dy Screen pixels down.
 */
export function nudge({ map, marks, editor }, dx, dy) {
  const mark = marks.selected;
  const from = mark && map.toScreen([mark.lon, mark.lat]);
  const to = from && map.toLonLat({ x: from.x + dx, y: from.y + dy });
  if (to) {
    editor.change(mark.uid, { lon: to[0], lat: to[1] }, "nudge");
  }
}

/** @param {Workspace} workspace @param {number} factor */
export function resize({ marks, editor, say }, factor) {
  const mark = marks.selected;
  if (!mark) {
    return;
  }
  const diameter_m = mark.diameter_m * factor;
  const misfit = misfitText(editor, diameter_m);
  if (misfit) {
    say(misfit);
  } else {
    editor.change(mark.uid, { diameter_m }, "resize");
  }
}
