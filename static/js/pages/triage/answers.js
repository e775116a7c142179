/** The queue of this page's answers: whose they are, where they go, and what becomes of them on the screen. */

import { AnswerQueue } from "tektite/lib/answer_queue";
import { ask } from "tektite/lib/api";
import { SaveLog } from "tektite/lib/save_log";
import { Tabs } from "tektite/lib/tabs";

/**
 * @param {object} needs
 * @param {object} needs.config Of the page.
 * @param {import("tektite/lib/database").Database} needs.database
 * @param {{uid: string, is_anonymous: boolean}} needs.person
 * @param {import("tektite/pages/triage/judging").Judging} needs.judging
 * @returns {Promise<AnswerQueue>} With what earlier pages have kept.
 */
export async function makeQueue({ config, database, person, judging }) {
  const logOf = (participant) => new SaveLog({ database, participant, campaign: config.workflow, store: "answers" });
  const log = logOf(person.uid);
  await adopt({ log, logOf, person, key: `tektite.triage.person.${config.workflow}` });
  const queue = new AnswerQueue({
    log,
    tabs: new Tabs(`tektite answers ${person.uid} ${config.workflow}`),
    send: ({ uid, showing, answer, marks, duration_ms }) =>
      ask("POST", config.urls.answers, { uid, showing: showing.uid, answer, marks, duration_ms }),
    onTaken: (answer, said, isFromHere) => judging.taken(answer, said, isFromHere),
    onRefused: (answer, error, isKept) => judging.refused(answer, error, isKept),
  });
  await queue.open();
  return queue;
}

/**
 * Who judged here without an account and has signed up since brings along what the server has not got yet.
 */
async function adopt({ log, logOf, person, key }) {
  try {
    const before = JSON.parse(globalThis.localStorage.getItem(key));
    if (before?.is_anonymous && before.uid !== person.uid && !person.is_anonymous) {
      const { value: answers } = await logOf(before.uid).revise((kept) => ({ drop: kept, value: kept }), "strict");
      if (answers.length) {
        await log.revise(() => ({ put: answers.map(({ seq: _other, ...answer }) => answer) }), "strict");
      }
    }
    globalThis.localStorage.setItem(key, JSON.stringify(person));
  } catch {
    // Without storage nothing was kept before either.
  }
}
