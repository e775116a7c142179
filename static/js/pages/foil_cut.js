/** The cutting page: outlines around craters of one picture, kept as cut-outs that the network learns from. */

import { diameterOf, troubleOf } from "tektite/geo/outline";
import { Database } from "tektite/lib/database";
import { find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { toast } from "tektite/lib/toasts";
import { Cuts } from "tektite/pages/foil_cut/cuts";
import { Drawing } from "tektite/pages/foil_cut/drawing";
import { listen } from "tektite/pages/foil_cut/keymap";
import { showList } from "tektite/pages/foil_cut/list";
import { Preview } from "tektite/pages/foil_cut/preview";
import { CutStage } from "tektite/pages/foil_cut/stage";
import * as words from "tektite/pages/foil_cut/words";
import { STEP } from "tektite/pages/picture_keys";
import { SignInDialog } from "tektite/pages/sign_in";
import { lightOf } from "tektite/pages/triage/light";
import { showTrouble } from "tektite/pages/triage/trouble";

const config = JSON.parse(find("#cut-config").textContent);
const { picture, limits } = config;
const size = { width: picture.width_px, height: picture.height_px };

const signIn = new SignInDialog();
const drawing = new Drawing();
const stage = new CutStage(find("#foil"), drawing);
const cuts = new Cuts(config, new Database());
const light = lightOf(find("#foil-sheet"));
let preview = null;

const pointsOf = ({ polygon }) => polygon.map(([x, y]) => ({ x, y }));
const trouble = () => (drawing.isClosed ? troubleOf(drawing.points, size, limits) : "");
const isReady = () => drawing.isClosed && !trouble();

function keep() {
  if (!isReady()) {
    say(words.hintText(drawing, trouble(), limits));
    return;
  }
  const { points, state } = drawing;
  cuts.cut(points, stage.frame, diameterOf(points), state.mends);
  drawing.clear();
}

/** What comes next, by one key. */
function enter() {
  if (!drawing.isClosed) {
    drawing.close() || say(words.hintText(drawing, "", limits));
  } else {
    keep();
  }
}

function mend(cut) {
  if (!drawing.isEmpty && !drawing.state.mends) {
    toast(gettext("Keep or abandon the outline that you are drawing first."));
    return;
  }
  chooseFrame(cut.frame);
  drawing.load(pointsOf(cut), cut.uid);
  stage.lookAt(drawing.points);
  stage.element.focus({ preventScroll: true });
}

function withdraw(cut) {
  cuts.withdraw(cut);
  toast(interpolate(gettext("Withdrawn: %(size)s."), { size: words.diameterText(cut.diameter_px, picture.nm_per_px) }), {
    action: { label: gettext("Undo"), run: () => cuts.restore(cut) },
  });
}

/** @param {number} frame Of the focus series. */
function chooseFrame(frame) {
  stage.chooseFrame(frame);
  find("#focus-frame").value = String(frame + 1);
  find("#focus-number").textContent = `${frame + 1}/${stage.images.length}`;
  show();
}

function turnFocus(by) {
  const n = stage.images.length;
  chooseFrame((stage.frame + by + n) % n);
}

function say(text) {
  find("#cut-hint").textContent = text;
}

/** All that follows from the outline. */
function show() {
  const { points, isClosed, isEmpty } = drawing;
  const wrong = trouble();
  // What crosses itself has no area that means anything.
  const isMeasured = points.length > 2 && !["crossing", "outside"].includes(wrong);
  say(words.hintText(drawing, wrong, limits));
  find("#cut-hint").classList.toggle("is-wrong", Boolean(wrong));
  find("#cut-size").textContent = isMeasured ? `⌀ ${words.diameterText(diameterOf(points), picture.nm_per_px)}` : "";
  find("#keep").setAttribute("aria-disabled", String(!isReady()));
  find("#undo").disabled = !drawing.before.length;
  find("#delete-point").disabled = isEmpty;
  find("#abandon").disabled = isEmpty;
  find("#close-outline").hidden = isClosed;
  find("#close-outline").disabled = points.length < 3;
  find("#cut-preview").hidden = !isMeasured;
  if (isMeasured) {
    preview?.show(stage.images[stage.frame], size, points);
  }
}

function showCuts() {
  const outlines = cuts.standing.map((cut) => ({ points: pointsOf(cut), kind: cut.url ? "kept" : "saving", uid: cut.uid }));
  stage.show(outlines.filter(({ uid }) => uid !== drawing.state.mends));
  find("main").dataset.unsent = String(cuts.queue.waiting.length);
}

async function unpacked(url, ...dimensions) {
  const image = new Image(...dimensions);
  Object.assign(image, { alt: "", draggable: false, src: url });
  await image.decode();
  return image;
}

async function open() {
  const note = find("#foil-note");
  note.hidden = false;
  note.textContent = gettext("Fetching…");
  try {
    const images = await Promise.all(picture.frames.map(({ url }) => unpacked(url, size.width, size.height)));
    const blank = config.blank ? await unpacked(config.blank) : null;
    preview = new Preview({ alone: find("#alone"), pasted: find("#pasted"), blank });
    stage.open(picture, images, Math.floor((images.length - 1) / 2));
  } catch {
    note.textContent = gettext("The picture does not come. Load the page again when there is a connection.");
    return;
  }
  note.hidden = true;
  find("#focus").hidden = stage.images.length < 2;
  find("#focus-frame").max = String(stage.images.length);
  chooseFrame(stage.frame);
  const wanted = cuts.byUid.get(config.mend);
  if (wanted) {
    mend(wanted);
  }
  stage.element.setAttribute("aria-busy", "false");
}

drawing.addEventListener("change", show);
drawing.addEventListener("change", showCuts);
cuts.addEventListener("change", showCuts);
cuts.addEventListener("refused", ({ detail }) => toast(detail, { kind: "error" }));
cuts.addEventListener("kept", ({ detail: { cut, mends } }) => {
  const was = cuts.byUid.get(mends);
  toast(interpolate(gettext("Kept: %(size)s."), { size: words.diameterText(cut.diameter_px, picture.nm_per_px) }), {
    kind: "success",
    action: {
      label: gettext("Undo"),
      run: () => {
        cuts.withdraw(cut);
        was && cuts.restore(was);
      },
    },
  });
});
showList({ cuts, nmPerPx: picture.nm_per_px, mend, withdraw });
showTrouble({ queue: cuts.queue, signIn, onStopped: (error) => error.status === 401 && signIn.ask(), words });
signIn.addEventListener("change", () => signIn.isNeeded || cuts.queue.resume());
globalThis.addEventListener("online", () => cuts.queue.resume());
globalThis.addEventListener("beforeunload", (event) => drawing.isEmpty || event.preventDefault());

const presses = {
  "#keep": keep,
  "#close-outline": () => drawing.close(),
  "#undo": () => drawing.undo(),
  "#delete-point": () => drawing.remove(),
  "#abandon": () => drawing.abandon(),
};
for (const [id, run] of Object.entries(presses)) {
  find(id).addEventListener("click", (event) => {
    run();
    // Then keys mean what they say on the picture.
    if (event.detail > 0) {
      stage.element.focus({ preventScroll: true });
    }
  });
}
find('[data-tool="smaller"]').addEventListener("click", () => stage.zoom(1 / STEP));
find('[data-tool="larger"]').addEventListener("click", () => stage.zoom(STEP));
find("#focus-frame").addEventListener("input", ({ target }) => chooseFrame(Number(target.value) - 1));
listen({ stage, drawing, enter, keep, ...light, turnFocus });

show();
await Promise.all([cuts.open(), open()]);
