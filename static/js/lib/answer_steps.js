/**
 * What can become of answers that wait: pure steps from all of them to what is put and dropped.
 *
 * @typedef {object} Answer
 * @property {string} uid Made here; the server takes each once.
 * @property {string} id The same, by which the log knows it.
 * @property {number} [seq] Its place in the order of sending, given where it is kept.
 * @property {{uid: string}} showing What was answered, as the server described it.
 * @property {"crater"|"nothing"|"cannot_tell"} answer
 * @property {{x_px: number, y_px: number}[]} marks
 * @property {number} duration_ms
 * @property {boolean} tried Whether it was ever sent.
 * @property {{code: string, message: string}|null} parked Why the server does not take it; it waits for a person.
 *
 * @typedef {(answers: Answer[]) => {put?: Answer[], drop?: Answer[], value?: any}} Step
 */

/** @type {Step} */
export const look = () => ({});

/** @param {Pick<Answer, "id"|"uid"|"showing"|"answer"|"marks"|"duration_ms">} given @returns {Step} */
export const add = (given) => () => {
  const answer = { ...given, tried: false, parked: null };
  return { put: [answer], value: answer };
};

/** The next one to send. @type {Step} */
export const take = (answers) => {
  const first = answers.find((answer) => !answer.parked);
  if (!first || first.tried) {
    return { value: first };
  }
  const answer = { ...first, tried: true };
  return { put: [answer], value: answer };
};

/** @param {string} uid @returns {Step} */
export const finish = (uid) => (answers) => ({ drop: answers.filter((answer) => answer.uid === uid) });

/** @param {string} uid Taken back, if the server cannot have it yet. @returns {Step} Its value: whether it was. */
export const withdraw = (uid) => (answers) => {
  const drop = answers.filter((answer) => answer.uid === uid && !answer.tried);
  return { drop, value: drop.length > 0 };
};

/** @param {string} uid @param {{code: string, message: string}} why @returns {Step} */
export const park = (uid, why) => (answers) => ({
  put: answers.filter((answer) => answer.uid === uid).map((answer) => ({ ...answer, parked: why })),
});

/** All that wait for a person are tried again. @type {Step} */
export const unpark = (answers) => ({
  put: answers.filter((answer) => answer.parked).map((answer) => ({ ...answer, parked: null })),
});

/** All that wait for a person are given up, on the person's word. @type {Step} */
export const discard = (answers) => ({ drop: answers.filter((answer) => answer.parked) });
