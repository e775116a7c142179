/** The triage page: agree, learn, practise, then one picture after the other. */

import { ApiError, ask } from "tektite/lib/api";
import { Database } from "tektite/lib/database";
import { find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { toast } from "tektite/lib/toasts";
import { STEP } from "tektite/pages/picture_keys";
import { SignInDialog } from "tektite/pages/sign_in";
import { makeQueue } from "tektite/pages/triage/answers";
import { Foil, MOST_MARKS } from "tektite/pages/triage/foil";
import { Judging } from "tektite/pages/triage/judging";
import { listen } from "tektite/pages/triage/keymap";
import { lightOf } from "tektite/pages/triage/light";
import { Pictures } from "tektite/pages/triage/pictures";
import { Screen } from "tektite/pages/triage/screen";
import { showTrouble } from "tektite/pages/triage/trouble";
import { Tutorial } from "tektite/pages/triage/tutorial";

const config = JSON.parse(find("#triage-config").textContent);
const LOOK_AGAIN_MS = 30_000;
const TRY_AGAIN_MS = 5000;

const signIn = new SignInDialog();
const tutorial = new Tutorial();
const foil = new Foil(find("#foil"));
const pictures = new Pictures();
const light = lightOf(find("#foil-sheet"));
const judging = new Judging({
  foil,
  pictures,
  server: { next: () => ask("POST", config.urls.next), back: () => ask("POST", config.urls.back) },
});
const screen = new Screen({ judging, foil, nothing: config.nothing });
let edition = "";
let owner = config.participant;
let timer = 0;

/** What the server knows of whoever asks: where they go on. */
async function open() {
  screen.opening();
  try {
    await signIn.around(async () => enter(await ask("GET", config.urls.state)));
  } catch (error) {
    screen.opening(sentenceOf(error));
  }
}

/** @param {object} state Of the server. @param {boolean} [isNew] Whether they have just agreed. */
async function enter(state, isNew = false) {
  if (state.stage === "consent") {
    edition = state.consent.edition;
    screen.askConsent(state.consent.text);
    return;
  }
  await meet(state.person);
  judging.said = { ...judging.said, stage: state.stage, practice: state.practice, progress: state.progress };
  const isPractice = state.stage === "practice";
  if (isNew || (isPractice && !state.practice.answered)) {
    teach(isPractice ? gettext("Try some known pictures") : gettext("Begin"));
  } else {
    judge();
  }
}

async function agree() {
  try {
    await signIn.around(async () => enter(await ask("POST", config.urls.start, { consent: edition }), true));
  } catch (error) {
    screen.opening(sentenceOf(error));
  }
}

/** From now on answers have an owner, and what earlier visits left is sent. */
async function meet(person) {
  owner = person.uid;
  screen.greet(person);
  if (judging.queue) {
    judging.queue.resume();
    return;
  }
  const database = new Database();
  const queue = await makeQueue({ config, database, person, judging });
  judging.queue = queue;
  queue.addEventListener("change", () => screen.show());
  showTrouble({ queue, signIn, onStopped: whenStopped });
  signIn.addEventListener("change", () => signIn.isNeeded || queue.resume());
  globalThis.addEventListener("online", comeBack);
  queue.resume();
}

/** From now on the server refuses what this page sends when somebody else has come to ask. */
function ownBy(uid) {
  const meta = document.querySelector('meta[name="participant"]') ?? document.createElement("meta");
  meta.name = "participant";
  meta.content = uid;
  document.head.append(meta);
}

function teach(last) {
  screen.open("tutorial");
  tutorial.begin({ last, onDone: judge });
}

function judge() {
  screen.open("judging");
  lookForPictures();
}

/** Ask for pictures; without an answer ask again, and while others have the last ones, look again now and then. */
async function lookForPictures() {
  clearTimeout(timer);
  let again = 0;
  try {
    await signIn.around(() => judging.refill());
    ownBy(owner);
    again = judging.said.reason === "waiting" ? LOOK_AGAIN_MS : 0;
    screen.note("");
  } catch (error) {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    screen.note(judging.deck.open.length ? "" : error.message);
    again = error.isPassing ? TRY_AGAIN_MS : 0;
    if (error.code === "consent") {
      open();
    } else if (error.code === "no_cookie") {
      screen.opening(error.message);
    }
  }
  if (again) {
    timer = setTimeout(lookForPictures, again);
  }
}

/** @param {ApiError} error What the server wants of the person before it takes more answers. */
function whenStopped(error) {
  if (error.status === 401) {
    signIn.ask();
  } else if (error.code === "consent") {
    open();
  }
}

function comeBack() {
  judging.queue.resume();
  judging.tryAgain();
  if (!judging.deck.open.length) {
    lookForPictures();
  }
}

async function undo() {
  try {
    const outcome = await judging.undo();
    if (outcome === "offline") {
      toast(HINTS.offline);
    }
  } catch (error) {
    toast(sentenceOf(error), { kind: "error" });
  }
}

/** What comes next, by one key. */
function goOn() {
  if (judging.mode === "told") {
    judging.goOn();
  } else if (judging.mode === "asking") {
    if (foil.marks.length || !foil.markCross()) {
      judging.give("crater");
    }
  }
}

function turnFocus(by) {
  const frames = foil.images.length;
  if (frames > 1) {
    foil.chooseFrame((foil.frame + by + frames) % frames);
    screen.show();
  }
}

/** @param {unknown} error @returns {string} @throws What is nobody's fault but ours. */
function sentenceOf(error) {
  if (!(error instanceof ApiError)) {
    throw error;
  }
  return error.message;
}

const HINTS = {
  mark: gettext("Mark the crater first: tap it, or move the cross with the arrows and press m."),
  marked: gettext("You have marked a crater. Tap the ring to take it away, or press “Crater here”."),
  full: interpolate(gettext("A picture takes %(n)s marks; the largest craters are enough."), { n: MOST_MARKS }),
  offline: gettext("The last answer may be with the server, which does not answer: undo it when the connection is back."),
  picture: gettext("This picture does not come. It is asked for again when there is a connection."),
};

judging.addEventListener("hint", ({ detail }) => {
  if (detail === "picture") {
    screen.note(HINTS.picture);
    setTimeout(() => judging.tryAgain(), TRY_AGAIN_MS);
  } else {
    screen.hint(HINTS[detail]);
  }
});
judging.addEventListener("change", () => {
  if (screen.isJudging && judging.said.stage === "consent") {
    open(); // the text has changed since it was agreed to
  } else {
    screen.show();
  }
});
judging.addEventListener("out", lookForPictures);
judging.addEventListener("refused", ({ detail }) => toast(detail));
foil.addEventListener("marks", () => screen.sayMarks(foil.marks.length));
foil.addEventListener("full", () => screen.hint(HINTS.full));

for (const button of document.querySelectorAll("[data-answer]")) {
  button.addEventListener("click", (event) => {
    judging.give(button.dataset.answer);
    screen.leaveButton(event);
  });
}
find("#go-on").addEventListener("click", (event) => {
  judging.goOn();
  screen.leaveButton(event);
});
for (const id of ["#undo", "#undo-from-nothing"]) {
  find(id).addEventListener("click", undo);
}
find("#agree").addEventListener("click", agree);
find("#open-again").addEventListener("click", open);
find("#open-tutorial").addEventListener("click", () => teach(gettext("Back to the pictures")));
find('[data-tool="smaller"]').addEventListener("click", () => foil.zoom(1 / STEP));
find('[data-tool="larger"]').addEventListener("click", () => foil.zoom(STEP));
find("#focus-frame").addEventListener("input", ({ target }) => {
  foil.chooseFrame(Number(target.value) - 1);
  screen.show();
});
listen({ judging, foil, isJudging: () => screen.isJudging, undo, ...light, turnFocus, enter: goOn });

await open();
