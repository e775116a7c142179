/** What the keys of the workbench do; the panel shows exactly these. */

import { nudge, resize } from "tektite/draw/nudge";
import { find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { toast } from "tektite/lib/toasts";
import { toggleDoubt } from "tektite/pages/label/marks_list";

const STEP_PX = 1;
const BIG_STEP_PX = 10;
const PAN_PX = 80;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {object} parts Of the page: see pages/label.js. */
export function bindKeys(parts) {
  const { keys, fit } = parts;
  keys.add(...drawing(parts), ...editing(parts), ...looking(parts), ...working(parts));
  find('[data-zoom="0"]').addEventListener("click", fit);
}

function drawing({ toolbar, workspace }) {
  const group = gettext("Draw");
  const circle = toolbar.tools.find(({ name }) => name === "circle");
  const rim = toolbar.tools.find(({ name }) => name === "rim");
  return [
    { keys: ["d"], group, title: gettext("circle: press at the centre, drag to the rim"), run: () => toolbar.take("circle") },
    { keys: ["Shift+d"], group, title: gettext("circle through three points of the rim"), run: () => toolbar.take("rim") },
    { keys: ["v"], group, title: gettext("select, move, resize"), run: () => toolbar.take("select") },
    {
      keys: ["Enter"],
      group,
      title: gettext("put a circle in the middle of the map, without a mouse"),
      when: () => toolbar.tool === circle && workspace.editor.visit !== null,
      run: () => circle.finish(),
    },
    {
      keys: ["Escape"],
      group,
      title: gettext("cancel; then select nothing"),
      run: () => toolbar.tool.cancel() || workspace.marks.select(null),
    },
    {
      keys: ["Backspace"],
      group,
      title: gettext("take back the last rim point, or delete"),
      run: () => (toolbar.tool === rim && rim.takeBackPoint()) || removeSelected(workspace),
    },
  ];
}

function editing({ toolbar, workspace, session }) {
  const group = gettext("Change the selected crater");
  const { marks } = workspace;
  const size = (factor) => () => resize(workspace, factor);
  return [
    {
      keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"],
      group,
      title: gettext("nudge by a pixel; with nothing selected, move the map"),
      repeat: true,
      run: ({ key }) => move(workspace, ARROWS[key], STEP_PX),
    },
    {
      keys: ["Shift+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowUp", "Shift+ArrowDown"],
      shown: ["Shift"],
      group,
      title: gettext("with an arrow: nudge by ten"),
      repeat: true,
      run: ({ key }) => move(workspace, ARROWS[key], BIG_STEP_PX),
    },
    { keys: ["["], group, title: gettext("2 % smaller"), repeat: true, run: size(1 / 1.02) },
    { keys: ["]"], group, title: gettext("2 % larger"), repeat: true, run: size(1.02) },
    { keys: ["{"], shown: ["Shift+["], group, title: gettext("10 % smaller"), repeat: true, run: size(1 / 1.1) },
    { keys: ["}"], shown: ["Shift+]"], group, title: gettext("10 % larger"), repeat: true, run: size(1.1) },
    { keys: ["u"], group, title: gettext("uncertain, or certain again"), run: () => toggleDoubt(workspace) },
    { keys: ["Delete"], group, title: gettext("delete"), run: () => removeSelected(workspace) },
    { keys: ["."], group, title: gettext("select the next"), run: () => step(workspace, 1), when: () => marks.standing().length > 0 },
    { keys: [","], group, title: gettext("select the one before"), run: () => step(workspace, -1), when: () => marks.standing().length > 0 },
    { keys: ["Mod+z"], group, title: gettext("undo"), repeat: true, run: () => toolbar.undo() || offerReopening(session) },
    { keys: ["Mod+Shift+z", "Mod+y"], group, title: gettext("redo"), repeat: true, run: () => toolbar.redo() },
  ];
}

function looking({ workspace, pointers, view, fit }) {
  const group = gettext("Look");
  const { map, rings, live } = workspace;
  const hide = (hidden) => [rings, live].forEach((layer) => layer.hide(hidden));
  const contrast = find("#contrast");
  return [
    { keys: ["h"], group, title: gettext("hold: hide all marks"), run: () => hide(true), release: () => hide(false) },
    {
      keys: ["b"],
      group,
      title: gettext("contrast"),
      run: () => {
        contrast.open = !contrast.open;
        (contrast.open ? find("input", contrast) : map.element).focus();
      },
    },
    { keys: ["i"], group, title: gettext("invert"), run: () => view.set({ invert: !view.contrast.invert }) },
    { keys: ["l"], group, title: gettext("next layer"), run: () => view.nextLayer() },
    { keys: ["+", "="], shown: ["+"], group, title: gettext("zoom in"), run: () => map.zoomBy(1) },
    { keys: ["-", "_"], shown: ["-"], group, title: gettext("zoom out"), run: () => map.zoomBy(-1) },
    { keys: ["0"], group, title: gettext("fit the tile"), run: fit },
    {
      keys: ["Space"],
      group,
      title: gettext("hold and drag: move the map; so does the middle button"),
      run: () => pointers.holdPanKey(true),
      release: () => pointers.holdPanKey(false),
    },
  ];
}

function working({ session, queue, openKeys }) {
  const group = gettext("Work");
  return [
    { keys: ["Mod+Enter"], group, title: gettext("searched: submit, and the next tile"), run: () => session.submit() },
    { keys: ["Mod+s"], group, title: gettext("save now what is still unsaved"), run: () => queue.resume() },
    { keys: ["?"], group, title: gettext("these keys"), run: openKeys },
  ];
}

function move(workspace, [dx, dy], pixels) {
  if (workspace.marks.selected) {
    nudge(workspace, dx * pixels, dy * pixels);
  } else {
    workspace.map.panBy(-dx * PAN_PX, -dy * PAN_PX);
  }
}

function removeSelected({ marks, editor }) {
  if (marks.selected) {
    editor.remove(marks.selected.uid);
  }
}

function step({ marks, map }, by) {
  const standing = marks.standing();
  const at = standing.indexOf(marks.selected);
  const next = standing[(at + by + standing.length + (at < 0 && by < 0 ? 1 : 0)) % standing.length];
  marks.select(next.uid);
  map.reveal([next.lon, next.lat]);
}

/** Nothing left to undo on this tile: the step before was the submission of another one. */
function offerReopening(session) {
  const { submitted } = session;
  if (!submitted) {
    toast(gettext("Nothing to undo on this tile."));
    return;
  }
  toast(interpolate(gettext("Nothing to undo on this tile. Tile %(number)s was submitted before it."), submitted.tile), {
    action: { label: gettext("Reopen it"), run: () => session.reopen(submitted) },
  });
}
