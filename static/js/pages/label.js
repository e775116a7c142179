/** The map workbench: reads its configuration, builds the parts, and ties them together. */

import { CircleTool } from "tektite/draw/circle_tool";
import { Editor } from "tektite/draw/editor";
import { Marks } from "tektite/draw/marks";
import { marksPainter } from "tektite/draw/marks_view";
import { Pointers } from "tektite/draw/pointers";
import { RimTool } from "tektite/draw/rim_tool";
import { SelectTool } from "tektite/draw/select_tool";
import { makeProjection } from "tektite/geo/projection";
import { heardServer } from "tektite/lib/clock";
import { CommandStack } from "tektite/lib/commands";
import { Database } from "tektite/lib/database";
import { find } from "tektite/lib/dom";
import { Drafts } from "tektite/lib/drafts";
import { gettext } from "tektite/lib/i18n";
import { KeyRegistry } from "tektite/lib/keys";
import { Tabs } from "tektite/lib/tabs";
import { addScaleBar, addSun } from "tektite/map/furniture";
import { GridMap } from "tektite/map/grid_map";
import { Imagery } from "tektite/map/imagery";
import { RingsLayer } from "tektite/map/rings_layer";
import { TileMask, windowOf } from "tektite/map/tile_mask";
import { makeHint } from "tektite/pages/label/hint";
import { bindKeys } from "tektite/pages/label/keymap";
import { showKeys } from "tektite/lib/keys_dialog";
import { showLayers } from "tektite/pages/label/layers";
import { keepLease } from "tektite/pages/label/lease";
import { showMarks } from "tektite/pages/label/marks_list";
import { showPicture } from "tektite/pages/label/picture";
import { adoptLegacy, makeQueue } from "tektite/pages/label/saving";
import { Session } from "tektite/pages/label/session";
import { showReadout } from "tektite/pages/label/readout";
import { showTile } from "tektite/pages/label/tile_panel";
import { Toolbar } from "tektite/pages/label/toolbar";
import { showTrouble } from "tektite/pages/label/trouble";
import { View } from "tektite/pages/label/view";
import { SignInDialog } from "tektite/pages/sign_in";

const config = JSON.parse(find("#label-config").textContent);
const { campaign, grid, layers, participant } = config;
heardServer(config.now, Date.now(), Date.now());

// Moon or Mercury: the body's radius comes with the campaign and goes everywhere from here.
const radiusM = campaign.body.radius_m;
const projection = makeProjection(globalThis.proj4, grid);
const map = new GridMap(find("#map"), grid, projection, radiusM);
const imagery = new Imagery(map);
const mask = new TileMask(map);
const rings = new RingsLayer(map);
const live = new RingsLayer(map);

const marks = new Marks();
const commands = new CommandStack();
const view = new View(config);
const database = new Database();
const drafts = new Drafts({ database, participant: participant.uid });
const signIn = new SignInDialog();
const queue = makeQueue({
  config,
  database,
  marks,
  commands,
  visit: () => session.visit,
  onClosed: () => session.closed(),
});
const editor = new Editor({
  marks,
  commands,
  queue,
  radiusM,
  minDiameterM: campaign.min_diameter_m,
  lookingAt: () => ({ basemap: view.layer.uid, view: { ...view.contrast, zoom: map.zoom } }),
});
const tabs = new Tabs(`tektite tile ${participant.uid} ${campaign.uid}`);
const session = new Session({ config, queue, marks, commands, editor, signIn, tabs });

const say = makeHint(find("#hint"));
const workspace = { map, rings, live, marks, editor, say, draft: (draft) => drafts.set(draft) };
const tools = [new SelectTool(workspace), new CircleTool(workspace), new RimTool(workspace)];
const toolbar = new Toolbar({ map, tools, commands, say });
const pointers = new Pointers(map, () => toolbar.tool);
const fit = () => session.visit && map.fitBox(windowOf(session.visit.tile));

const paintMarks = marksPainter(workspace);
const paint = () => paintMarks(toolbar.tool.name === "select");
marks.addEventListener("change", paint);
toolbar.addEventListener("change", paint);

const pointSun = addSun(map, find("#sun"));
addScaleBar(map, find("#scale"));
const showView = () => {
  imagery.show(view.layer, view.contrast);
  pointSun(view.layer);
};
showPicture({ imagery, view, basemapUrl: config.urls.basemap });
view.addEventListener("change", showView);
showView();

session.addEventListener("visit", async () => {
  toolbar.tool.cancel();
  mask.show(session.visit?.tile ?? null);
  fit();
  const draft = await drafts.enter(session.visit?.uid ?? null);
  if (draft) {
    toolbar.take(draft.tool);
    toolbar.tool.takeUp(draft.points);
    say(gettext("Your unfinished circle is here again: go on, or press Esc to drop it"));
  }
});

const keys = new KeyRegistry();
const openKeys = showKeys(keys);
showTile({ session, campaign, marks, queue });
showMarks({ workspace, toolbar });
showLayers({ view, map, rings, config });
showReadout({ map, queue, marks, view, layers, valueUrl: config.urls.value, radiusM });
keepLease({ session, campaign });
showTrouble({ queue, drafts, signIn, config });
bindKeys({ keys, workspace, toolbar, pointers, session, view, queue, commands, fit, openKeys });
keys.attach(globalThis);
await queue.open();
session.start();
queue.resume();
await adoptLegacy(queue, config);
