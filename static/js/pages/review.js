/** The review desk: shows a proposal, takes an answer, brings the next. */

import { RimCorrection } from "tektite/draw/rim_correction";
import { degreesText, lengthText } from "tektite/geo/format";
import { ApiError, ask } from "tektite/lib/api";
import { el, find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { KeyRegistry } from "tektite/lib/keys";
import { showKeys } from "tektite/lib/keys_dialog";
import { toast } from "tektite/lib/toasts";
import { newUid } from "tektite/lib/uid";
import { showFacts, showProfile } from "tektite/pages/review_facts";
import { SignInDialog } from "tektite/pages/sign_in";

const config = JSON.parse(find("#review-config").textContent);
const desk = find("main");
const cut = find("#cut");
const image = find("#cut-image");
const panels = { answers: find("#answers"), reasons: find("#reasons"), correction: find("#correction") };
const signIn = new SignInDialog();
const correction = new RimCorrection(find("#cut-ring"), config.body.radius_m, showCorrected);

/** The proposal on the desk, null while there is none; and whether an answer is on its way. */
let subject = null;
let busy = false;
let shownAt = 0;
let layer = 0;
let inverted = false;

/** @param {"answers"|"reasons"|"correction"} name The one panel to press in. */
function openPanel(name) {
  for (const [key, panel] of Object.entries(panels)) {
    panel.hidden = key !== name;
  }
  find('[data-answer="reject"]').setAttribute("aria-expanded", String(name === "reasons"));
  const height = find(".desk-answers").offsetHeight;
  document.documentElement.style.setProperty("--answers-height", `${height}px`);
}

/** @param {{subject: object|null, reason?: string|null, progress: object}} answer Of the server. */
function show(answer) {
  subject = answer.subject;
  showProgress(answer.progress);
  desk.classList.toggle("idle", !subject);
  find("#nothing").hidden = Boolean(subject);
  if (!subject) {
    const { title, text } = config.nothing[answer.reason ?? "finished"];
    find("#nothing-title").textContent = title;
    find("#nothing-text").textContent = text;
    find("#back-again").hidden = !answer.progress.done;
    return;
  }
  showImage();
  correction.show(subject, subject.cutout);
  showFacts(find("#facts"), subject);
  find("#profile-card").hidden = !subject.profile;
  if (subject.profile) {
    showProfile(find("#profile"), subject.profile, subject.diameter_m);
  }
  find("#from").textContent = subject.model
    ? interpolate(gettext("%(system)s, version %(number)s · most instructive first"), {
        system: subject.model.system.replaceAll("_", " "),
        number: subject.model.number,
      })
    : "";
  find("#cut-scale").textContent = interpolate(gettext("%(width)s across"), { width: lengthText(subject.cutout.width_m) });
  openPanel("answers");
  shownAt = performance.now();
}

function showImage() {
  const layers = subject.cutout.layers;
  layer = Math.min(layer, layers.length - 1);
  cut.classList.add("waiting");
  image.src = layers[layer]?.url ?? subject.cutout.url;
  image.decode().then(
    () => cut.classList.remove("waiting"),
    () => {},
  );
  find("#strip").replaceChildren(
    ...layers.map(({ name, title, url }, i) =>
      el(
        "button",
        { type: "button", role: "radio", "aria-checked": String(i === layer), title: name, onclick: () => chooseLayer(i) },
        el("img", { src: url, alt: "", class: inverted ? "inverted" : "" }),
        el("span", {}, title),
      ),
    ),
  );
}

function chooseLayer(index) {
  layer = index;
  showImage();
}

function showProgress({ done, waiting, per_minute: pace }) {
  const counts = { done: done.toLocaleString("en"), waiting: waiting.toLocaleString("en") };
  find("#progress").textContent = interpolate(gettext("%(done)s done · %(waiting)s waiting"), counts);
  find("#pace").hidden = !pace;
  find("#pace").textContent = interpolate(gettext("%(pace)s a minute"), { pace: Math.round(pace * 10) / 10 });
}

function showCorrected(circle) {
  find("#corrected").textContent = [
    lengthText(circle.diameter_m),
    `${degreesText(circle.lon, 3)}, ${degreesText(circle.lat, 3)}`,
  ].join(" · ");
}

/**
 * An answer keeps its uid until the server has it: pressing again after a lost connection counts once.
 *
 * @param {string} answer @param {{reason?: string, payload?: object}} [more]
 */
async function give(answer, more = {}) {
  if (!subject || busy) {
    return;
  }
  subject.answerUid ??= newUid();
  await during(async () => {
    const given = await ask("POST", config.urls.answer, {
      uid: subject.answerUid,
      subject: subject.uid,
      answer,
      reason: more.reason ?? "",
      payload: more.payload ?? {},
      duration_ms: Math.round(performance.now() - shownAt),
    });
    countTaught(answer);
    show({ ...given, subject: given.next });
  });
}

function countTaught(answer) {
  const taught = document.getElementById("taught");
  if (taught && ["accept", "edit", "reject"].includes(answer)) {
    taught.dataset.count = String(Number(taught.dataset.count) + 1);
    taught.textContent = Number(taught.dataset.count).toLocaleString("en");
  }
}

async function back() {
  if (!busy) {
    await during(async () => show({ reason: null, ...(await ask("POST", config.urls.back)) }));
  }
}

/** @param {() => Promise<void>} work */
async function during(work) {
  busy = true;
  desk.setAttribute("aria-busy", "true");
  try {
    await signIn.around(work);
  } catch (error) {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    toast(error.message, { kind: "error" });
    if (error.status === 409 && error.code !== "other_person") {
      show(await ask("POST", config.urls.next));
    }
  } finally {
    busy = false;
    desk.removeAttribute("aria-busy");
  }
}

function startCorrection() {
  correction.start();
  showCorrected(correction.circle);
  openPanel("correction");
}

function leavePanel() {
  correction.stop();
  openPanel("answers");
}

function saveCorrection() {
  const { lon, lat, diameter_m } = correction.circle;
  return give("edit", { payload: { lon, lat, diameter_m } });
}

const presses = {
  accept: () => give("accept"),
  edit: startCorrection,
  reject: () => openPanel("reasons"),
  unsure: () => give("unsure"),
  skip: () => give("skip"),
  back,
  save: saveCorrection,
  cancel: leavePanel,
};

for (const button of document.querySelectorAll("[data-answer]")) {
  button.addEventListener("click", () => presses[button.dataset.answer]());
}
for (const button of document.querySelectorAll("[data-reason]")) {
  button.addEventListener("click", () => give("reject", { reason: button.dataset.reason }));
}

const isOpen = (name) => () => Boolean(subject) && !panels[name].hidden;
const [answering, giving, correcting] = [isOpen("answers"), isOpen("reasons"), isOpen("correction")];
const keys = new KeyRegistry();
const group = gettext("Answers");
keys.add(
  { keys: ["a"], group, title: gettext("Crater, as drawn"), run: presses.accept, when: answering },
  { keys: ["e"], group, title: gettext("Correct the rim"), run: presses.edit, when: answering },
  { keys: ["x"], group, title: gettext("Not a crater"), run: presses.reject, when: answering },
  { keys: ["u"], group, title: gettext("Unsure"), run: presses.unsure, when: answering },
  { keys: ["Space"], group, title: gettext("Skip"), run: presses.skip, when: answering },
  { keys: ["Backspace"], group, title: gettext("Back"), run: back, when: () => panels.correction.hidden },
  { keys: ["Enter"], group, title: gettext("Crater, with this rim"), run: saveCorrection, when: correcting },
  { keys: ["Escape"], group, title: gettext("Leave the question open"), run: leavePanel, when: () => !answering() },
  ...config.reasons.map(({ key, title }, i) => ({
    keys: [String(i + 1)],
    group: gettext("Reasons"),
    title,
    run: () => give("reject", { reason: key }),
    when: giving,
  })),
);
const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const rim = gettext("Rim");
keys.add(
  {
    keys: Object.keys(steps),
    group: rim,
    title: gettext("Move"),
    run: (event) => correction.nudge(...steps[event.key]),
    when: correcting,
    repeat: true,
  },
  { keys: ["["], group: rim, title: gettext("Smaller"), run: () => correction.scale(1 / 1.02), when: correcting, repeat: true },
  { keys: ["]"], group: rim, title: gettext("Larger"), run: () => correction.scale(1.02), when: correcting, repeat: true },
);
const view = gettext("View");
keys.add(
  {
    keys: ["h"],
    group: view,
    title: gettext("Hide the rim while held"),
    run: () => cut.classList.add("hidden-rim"),
    release: () => cut.classList.remove("hidden-rim"),
  },
  { keys: ["i"], group: view, title: gettext("Invert"), run: invert },
  {
    keys: ["l"],
    group: view,
    title: gettext("Next layer"),
    run: () => chooseLayer((layer + 1) % subject.cutout.layers.length),
    when: () => Boolean(subject),
  },
);
keys.add({ keys: ["?"], group: view, title: gettext("All keys"), run: showKeys(keys) });
keys.attach(window);

function invert() {
  inverted = !inverted;
  for (const picture of document.querySelectorAll(".cut img, .strip img")) {
    picture.classList.toggle("inverted", inverted);
  }
}

await during(async () => show(await ask("POST", config.urls.next)));
