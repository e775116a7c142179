/** What is to be seen of it all: which part of the page is open, and what its texts and buttons say. */

import { find } from "tektite/lib/dom";
import { gettext, interpolate, ngettext } from "tektite/lib/i18n";
import { craterLabel, practiceText, progressText } from "tektite/pages/triage/words";

const PARTS = ["opening", "consent", "tutorial", "judging", "nothing"];
const HINT_MS = 6000;

export class Screen {
  /**
   * @param {object} needs
   * @param {import("tektite/pages/triage/judging").Judging} needs.judging
   * @param {import("tektite/pages/triage/foil").Foil} needs.foil
   * @param {Record<string, {title: string, text: string}>} needs.nothing What to say when there is nothing, by reason.
   */
  constructor({ judging, foil, nothing }) {
    Object.assign(this, { judging, foil, nothing });
    this.main = find("main");
    this.part = "opening";
    this.hintTimer = 0;
    this.trouble = "";
  }

  /** @returns {boolean} Whether the pictures, or the lack of them, are on the screen. */
  get isJudging() {
    return this.part === "judging";
  }

  /** @param {"opening"|"consent"|"tutorial"|"judging"} part */
  open(part) {
    this.part = part;
    this.show();
  }

  /** @param {string} [trouble] What keeps the page from opening. */
  opening(trouble = "") {
    find("#opening-text").textContent = trouble || gettext("Opening…");
    find("#open-again").hidden = !trouble;
    find("#opening").setAttribute("aria-busy", String(!trouble));
    this.open("opening");
  }

  /** @param {string} text Paragraphs apart by empty lines. */
  askConsent(text) {
    const paragraphs = text.split(/\n\s*\n/).map((paragraph) => {
      const element = document.createElement("p");
      element.textContent = paragraph;
      return element;
    });
    find("#consent-text").replaceChildren(...paragraphs);
    this.open("consent");
    find("#agree").focus({ preventScroll: true });
  }

  /** @param {{pseudonym: string, is_anonymous: boolean}} person */
  greet({ pseudonym, is_anonymous: isAnonymous }) {
    const text = interpolate(gettext("You are judging as %(name)s without an account."), { name: pseudonym });
    for (const id of ["#anonymous", "#nothing-anonymous"]) {
      find(id).hidden = !isAnonymous;
      find("span", find(id)).textContent = text;
    }
  }

  /** @param {string} text Why there is no picture; empty when there is one again. */
  note(text) {
    this.trouble = text;
    this.show();
  }

  /** @param {string} text How to do what was pressed; for a while. */
  hint(text) {
    const note = find("#foil-note");
    note.textContent = text;
    note.hidden = false;
    clearTimeout(this.hintTimer);
    this.hintTimer = setTimeout(() => this.#unhint(), HINT_MS);
    this.#say(text);
  }

  /** @param {number} n How many marks there are now. */
  sayMarks(n) {
    this.#say(interpolate(ngettext("%(n)s mark", "%(n)s marks", n), { n }));
  }

  /** @param {MouseEvent} event A pointer's press goes back to the picture, so that Enter and Space mean what the keys say. */
  leaveButton(event) {
    if (event.detail > 0) {
      this.foil.element.focus({ preventScroll: true });
    }
  }

  /** All of it, as it is now. */
  show() {
    const { judging } = this;
    const isEmpty = this.part === "judging" && judging.mode === "empty";
    const shown = isEmpty ? "nothing" : this.part;
    for (const part of PARTS) {
      find(`#${part}`).hidden = part !== shown;
    }
    this.main.dataset.part = shown;
    this.main.dataset.mode = judging.mode;
    this.main.dataset.stage = judging.said.stage;
    this.main.dataset.unsent = String(judging.queue?.waiting.length ?? 0);
    if (isEmpty) {
      this.#showNothing();
    } else if (shown === "judging") {
      this.#showPicture();
    }
  }

  #showPicture() {
    const { judging, foil } = this;
    const isTold = judging.mode === "told";
    find("#told").hidden = !isTold;
    find("#question").hidden = isTold;
    find("#answers").hidden = isTold;
    find("#going-on").hidden = !isTold;
    find("#judging").classList.toggle("is-told", isTold);
    if (isTold) {
      this.#showTold(judging.told[0]);
    } else {
      this.toldUid = null;
      find("#passed").hidden = true;
    }
    const crater = find('[data-answer="crater"]');
    crater.setAttribute("aria-disabled", String(!foil.marks.length));
    find("#crater-label").textContent = craterLabel(foil.marks.length);
    this.#showFocus();
    this.#showNote();
    this.#showProgress();
    find("#undo").disabled = !judging.canUndo;
  }

  #showTold({ showing, marks, feedback, isPractice }) {
    if (this.toldUid === showing.uid) {
      return;
    }
    this.toldUid = showing.uid;
    const { is_crater: isCrater, was_right: wasRight, text } = feedback;
    const hasPassed = isPractice && this.judging.said.stage === "judging";
    find("#told").classList.toggle("was-right", wasRight);
    find("#told-which").textContent = isPractice ? gettext("Practice") : gettext("The picture before; your next one waits.");
    find("#told-title").textContent = isPractice ? gettext("What it is") : gettext("You have seen a known picture");
    find("#told-text").textContent = text;
    find("#passed").hidden = !hasPassed;
    find("#legend-mine").hidden = !marks.length;
    find("#legend-place").hidden = !feedback.places.length;
    find("#legend-place circle").classList.toggle("is-not", !isCrater);
    find("#legend-place-text").textContent = isCrater ? gettext("the crater") : gettext("looks like one, and is none");
    this.#say([find("#told-title").textContent, text, hasPassed ? find("#passed").textContent : ""].join(" "));
    if (document.activeElement?.closest("#answers")) {
      find("#go-on").focus({ preventScroll: true });
    }
  }

  #showFocus() {
    const frames = this.foil.showing ? this.foil.images.length : 1;
    find("#focus").hidden = frames < 2;
    const slider = find("#focus-frame");
    slider.max = String(frames);
    slider.value = String(this.foil.frame + 1);
    find("#focus-number").textContent = `${this.foil.frame + 1}/${frames}`;
  }

  #showNote() {
    const isBare = !this.foil.showing;
    if (isBare) {
      clearTimeout(this.hintTimer);
      const unsent = ["retrying", "stopped"].includes(this.judging.queue?.state) ? this.judging.queue.error : null;
      find("#foil-note").textContent = this.trouble || unsent?.message || gettext("Fetching…");
      find("#foil-note").hidden = false;
      this.isWaiting = true;
    } else if (this.isWaiting) {
      this.#unhint();
    }
    this.foil.element.setAttribute("aria-busy", String(isBare));
  }

  #unhint() {
    this.isWaiting = false;
    find("#foil-note").hidden = true;
  }

  #showProgress() {
    const { practice, progress, stage } = this.judging.said;
    const isPractice = stage === "practice" && practice !== null;
    find("#practice").hidden = !isPractice;
    if (isPractice) {
      set(find("#practice"), practiceText(practice));
    }
    find("#progress").hidden = isPractice || !progress;
    if (progress) {
      set(find("#progress"), progressText(progress, this.judging.queue.waiting.length));
    }
  }

  #showNothing() {
    const { reason, progress } = this.judging.said;
    const { title, text } = this.nothing[reason];
    find("#nothing-title").textContent = title;
    find("#nothing-text").textContent = text;
    find("#nothing-progress").hidden = !progress?.answered;
    if (progress) {
      find("#nothing-progress").textContent = progressText(progress);
    }
    find("#undo-from-nothing").hidden = !this.judging.canUndo;
    this.#say(title);
  }

  #say(text) {
    set(find("#said"), text);
  }
}

/** Only what has changed is read out. */
function set(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}
