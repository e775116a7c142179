/**
 * One picture after the other: what is on the screen, what was answered, what the server said of it.
 *
 * An answer is on its way when the next picture is painted, so nobody waits for the network. Which pictures are known
 * nobody can tell before answering; when the server then tells, the page goes back to that picture and shows the right
 * place beside the person's own, and the next one waits underneath with whatever was marked on it. In practice every
 * picture is known, so there the page waits for the answer instead.
 *
 * @typedef {import("tektite/pages/triage/deck").Showing} Showing
 * @typedef {import("tektite/pages/triage/foil").Mark} Mark
 * @typedef {{is_crater: boolean, was_right: boolean, places: object[], text: string}} Feedback
 *
 * Modes: fetching, while a picture or the word of the server is awaited; fresh, while a picture has just come and no
 * press can be about it; asking; told, while an answer is shown; empty, while there is nothing to judge; undoing.
 *
 * @typedef {"fetching"|"fresh"|"asking"|"told"|"empty"|"undoing"} Mode
 */

import { newUid } from "tektite/lib/uid";
import * as decks from "tektite/pages/triage/deck";

// Nobody has looked at a picture so soon: the second press of a double click is not an answer to it.
const NOT_BEFORE_MS = 250;
const AHEAD = 3;
const MOST_UNDONE = 10;
export const PAINTED = "triage: answer to next picture";

/**
 * Emits "change" when anything to be seen has changed, "hint" when a press cannot be done (its `detail` says which), and
 * "refused" with the server's sentence when an answer came too late to change one that stands, and "out" when there is
 * nothing here and no answer on its way that would bring more.
 */
export class Judging extends EventTarget {
  /**
   * @param {object} needs
   * @param {import("tektite/pages/triage/foil").Foil} needs.foil
   * @param {import("tektite/pages/triage/pictures").Pictures} needs.pictures
   * @param {{next: () => Promise<object>, back: () => Promise<object>}} needs.server
   */
  constructor({ foil, pictures, server }) {
    super();
    Object.assign(this, { foil, pictures, server });
    /** @type {import("tektite/lib/answer_queue").AnswerQueue|null} Once it is known who judges. */
    this.queue = null;
    this.deck = decks.EMPTY;
    /** @type {Map<string, Mark[]>} Not answered yet, by showing. */
    this.marks = new Map();
    /** @type {{uid: string, showing: Showing, marks: Mark[]}[]} Answered on this page, and may be taken back. */
    this.given = [];
    /** @type {{showing: Showing, marks: Mark[], feedback: Feedback, isPractice: boolean}[]} The first is shown first. */
    this.told = [];
    /** @type {string|null} The showing that was last on the screen to be judged. */
    this.seen = null;
    /** @type {string|null} The answer that is awaited before the next picture. */
    this.awaited = null;
    /** @type {Mode} */
    this.mode = "fetching";
    /** What the server last said: reason, stage, practice and progress. */
    this.said = { reason: null, stage: "practice", practice: null, progress: null };
    this.isAsking = false;
    this.shownAt = 0;
    this.timer = 0;
    foil.addEventListener("marks", () => this.#marked());
  }

  /** @returns {boolean} */
  get canUndo() {
    const unsent = this.queue?.waiting.length ?? 0;
    return ["fresh", "asking", "empty"].includes(this.mode) && (this.said.progress?.undo ?? 0) + unsent > 0;
  }

  /** @returns {Promise<void>} Pictures, or why there are none. @throws {ApiError} */
  async refill() {
    if (this.isAsking) {
      return;
    }
    this.isAsking = true;
    try {
      this.#hear(await this.server.next());
    } finally {
      this.isAsking = false;
    }
    this.#goOnIfIdle();
  }

  /** @param {"crater"|"nothing"|"cannot_tell"} answer */
  give(answer) {
    if (this.mode !== "asking") {
      return;
    }
    const [showing] = this.deck.open;
    const marks = this.foil.marks;
    if (answer === "crater" && !marks.length) {
      this.#hint("mark");
      return;
    }
    if (answer === "nothing" && marks.length) {
      this.#hint("marked");
      return;
    }
    const uid = newUid();
    const duration_ms = Math.round(performance.now() - this.shownAt);
    this.deck = decks.answered(this.deck);
    this.marks.delete(showing.uid);
    this.given = [...this.given, { uid, showing, marks }].slice(-MOST_UNDONE);
    if (this.said.stage === "practice") {
      this.awaited = uid;
      this.#become("fetching");
    } else {
      performance.mark(PAINTED);
      this.#showNext();
    }
    const sent = answer === "crater" ? marks : [];
    this.queue.add({ id: uid, uid, showing, answer, marks: sent, duration_ms });
  }

  /** @param {import("tektite/lib/answer_steps").Answer} answer @param {object} said @param {boolean} isFromHere */
  taken(answer, said, isFromHere) {
    const isMine = this.given.some(({ uid }) => uid === answer.uid);
    if (!isMine) {
      this.deck = decks.withoutWaiting(this.deck, answer.showing.uid);
    }
    this.#hear(said);
    if (said.feedback && (isMine || isFromHere)) {
      // Whoever has been told cannot take it back, nor what came before.
      const place = this.given.findIndex(({ uid }) => uid === answer.uid);
      this.given = this.given.slice(place + 1);
      const isPractice = this.awaited === answer.uid;
      this.told.push({ showing: answer.showing, marks: answer.marks, feedback: said.feedback, isPractice });
    }
    this.#answerArrived(answer);
  }

  /**
   * @param {import("tektite/lib/answer_steps").Answer} answer Not taken.
   * @param {Error} error
   * @param {boolean} isKept Whether it waits for a person to try again.
   */
  refused(answer, error, isKept) {
    this.given = this.given.filter(({ uid }) => uid !== answer.uid);
    if (isKept) {
      // The server goes on handing it out.
      this.deck = decks.notDone(this.deck, answer.showing.uid);
    } else {
      this.dispatchEvent(new CustomEvent("refused", { detail: error.message }));
    }
    this.#answerArrived(answer);
    if (!this.deck.open.length) {
      this.dispatchEvent(new Event("out"));
    }
  }

  /** The person has seen what they were told. */
  goOn() {
    if (this.mode === "told" && performance.now() - this.shownAt > NOT_BEFORE_MS) {
      this.told.shift();
      this.#showNext();
    }
  }

  /** @returns {Promise<"done"|"offline"|"told">} @throws {ApiError} The server's own refusal. */
  async undo() {
    if (!this.canUndo) {
      return "done";
    }
    clearTimeout(this.timer);
    const before = this.mode === "empty" ? "empty" : "asking";
    this.#become("undoing");
    try {
      return await this.#takeBack();
    } finally {
      if (this.mode === "undoing") {
        this.#become(before);
      }
    }
  }

  /** Look for pictures that did not come. */
  tryAgain() {
    if (this.mode === "fetching" && !this.awaited) {
      this.#showNext();
    }
  }

  async #takeBack() {
    const last = this.given.at(-1);
    if (last && (await this.queue.withdraw(last.uid))) {
      this.#restore(last.showing, last.marks);
      return "done";
    }
    if (!(await this.queue.settled())) {
      return "offline";
    }
    if (this.told.length) {
      this.#showNext();
      return "told";
    }
    const { showing, previous, progress } = await this.server.back();
    this.said = { ...this.said, progress };
    this.#restore(showing, previous.marks);
    return "done";
  }

  #restore(showing, marks) {
    this.given = this.given.filter((one) => one.showing.uid !== showing.uid);
    this.deck = decks.putBack(this.deck, showing);
    this.marks.set(showing.uid, marks);
    this.#showNext();
  }

  #answerArrived({ uid }) {
    if (this.awaited === uid) {
      this.awaited = null;
      this.#showNext();
    } else {
      this.#goOnIfIdle();
    }
  }

  #goOnIfIdle() {
    const isIdle = this.mode === "empty" || (this.mode === "fetching" && !this.awaited);
    if (isIdle || (this.told.length && ["fresh", "asking"].includes(this.mode))) {
      this.#showNext();
    }
    this.#fetchAhead();
    this.dispatchEvent(new Event("change"));
  }

  #hear({ showings, reason, stage, practice, progress }) {
    this.said = { reason, stage, practice, progress };
    this.deck = decks.dealt(this.deck, showings, this.seen);
  }

  #showNext() {
    clearTimeout(this.timer);
    const [told] = this.told;
    const showing = told?.showing ?? this.deck.open[0];
    if (!showing) {
      this.foil.clear();
      this.#become(this.said.reason && !this.queue.waiting.length ? "empty" : "fetching");
      return;
    }
    const loading = this.pictures.of(showing);
    if (loading.isReady) {
      this.#paint(showing, loading.images, told);
      return;
    }
    this.foil.clear();
    this.#become("fetching");
    const isStillNext = () => this.mode === "fetching" && (this.told[0]?.showing ?? this.deck.open[0]) === showing;
    loading.ready.then(
      () => isStillNext() && this.#showNext(),
      () => isStillNext() && this.#hint("picture"),
    );
  }

  #paint(showing, images, told) {
    if (told) {
      const { places, is_crater: isCrater } = told.feedback;
      this.foil.show(showing, images, told.marks, { places, isCrater });
      this.shownAt = performance.now();
      this.#become("told");
      return;
    }
    this.foil.show(showing, images, this.marks.get(showing.uid) ?? []);
    this.seen = showing.uid;
    this.shownAt = performance.now();
    this.#become("fresh");
    this.timer = setTimeout(() => this.#become("asking"), NOT_BEFORE_MS);
    requestAnimationFrame(() => requestAnimationFrame(measurePaint));
    this.pictures.fetchFrames(showing);
    this.#fetchAhead();
  }

  #fetchAhead() {
    this.deck.open.slice(0, AHEAD).forEach((showing) => this.pictures.of(showing));
  }

  #marked() {
    if (this.mode !== "told" && this.deck.open[0]) {
      this.marks.set(this.deck.open[0].uid, this.foil.marks);
    }
    this.dispatchEvent(new Event("change"));
  }

  #become(mode) {
    this.mode = mode;
    this.dispatchEvent(new Event("change"));
  }

  #hint(detail) {
    this.dispatchEvent(new CustomEvent("hint", { detail }));
  }
}

/** From the press to the frame after the next picture's: for whoever measures. */
function measurePaint() {
  if (performance.getEntriesByName(PAINTED, "mark").length) {
    performance.measure(PAINTED, PAINTED);
    performance.clearMarks(PAINTED);
  }
}
