/**
 * What can become of saves that wait: pure steps from all of them to what is put and dropped.
 *
 * @typedef {object} Save
 * @property {string} id
 * @property {number} [seq] Its place in the order of sending, given where it is kept.
 * @property {string} visit Its uid.
 * @property {number|null} tile The number people know its tile by.
 * @property {string} mark Its uid, made here.
 * @property {"draw"|"change"|"delete"|"restore"} kind
 * @property {Record<string, unknown>} body Of the request, without the version.
 * @property {Record<string, unknown>} shape The whole mark as it was then, for whoever has to take it elsewhere.
 * @property {number} base The version it starts from; 0 while only drawn here.
 * @property {boolean} tried Whether it was ever sent.
 * @property {{code: string, message: string}|null} parked Why the server does not take it; it waits for a person.
 *
 * @typedef {(saves: Save[]) => {put?: Save[], drop?: Save[], value?: any}} Step
 */

import { newUid } from "tektite/lib/uid";

/** @type {Step} */
export const look = () => ({});

/**
 * @param {Pick<Save, "visit"|"tile"|"mark"|"kind"|"body"|"shape"|"base">} wanted
 * @param {() => number} known The mark's newest version, asked when the save is kept.
 * @returns {Step}
 */
export const add = (wanted, known) => (saves) => {
  const last = saves.findLast((save) => save.mark === wanted.mark);
  // Small steps become one, but a save that may already have reached the server stays as it is.
  if (wanted.kind === "change" && last?.kind === "change" && !last.tried && !last.parked) {
    const merged = { ...last, body: { ...last.body, ...wanted.body }, shape: wanted.shape };
    return { put: [merged], value: merged };
  }
  const base = Math.max(wanted.base, known());
  // What follows on a mark that waits for a person waits with it.
  const save = { ...wanted, base, id: newUid(), tried: false, parked: last?.parked ?? null };
  return { put: [save], value: save };
};

/** The next one to send. @type {Step} */
export const take = (saves) => {
  const first = saves.find((save) => !save.parked);
  if (!first || first.tried) {
    return { value: first };
  }
  const save = { ...first, tried: true };
  return { put: [save], value: save };
};

/** @param {Save} save Stored, as this version of its mark. @param {number} version @returns {Step} */
export const finish = (save, version) => (saves) => ({
  drop: saves.filter(({ id }) => id === save.id),
  put: saves.filter(({ id, mark }) => mark === save.mark && id !== save.id).map((later) => ({ ...later, base: version })),
});

/** @param {Save} save Which a person wants on top of this. @param {{version: number, deleted: boolean}} current @returns {Step} */
export const putOnTop = (save, current) => (saves) => {
  const again = saves.filter(({ id }) => id === save.id).map((one) => ({ ...one, base: current.version }));
  const restore = { kind: "restore", body: {}, id: newUid(), seq: save.seq - 0.5, tried: false };
  const isFirstRestored = again.length > 0 && current.deleted && save.kind === "change";
  return { put: isFirstRestored ? [...again, { ...again[0], ...restore }] : again };
};

/** @param {string} mark Its uid: what waits for it is given up for what the server has. @returns {Step} */
export const forgetMark = (mark) => (saves) => ({ drop: saves.filter((save) => save.mark === mark) });

/** @param {(save: Save) => boolean} isMeant @param {{code: string, message: string}} why @returns {Step} */
export const park = (isMeant, why) => (saves) => {
  const put = saves.filter((save) => !save.parked && isMeant(save)).map((save) => ({ ...save, parked: why }));
  return { put, value: put };
};

/** All that wait for a person are tried again. @type {Step} */
export const unpark = (saves) => {
  const put = saves.filter((save) => save.parked).map((save) => ({ ...save, parked: null }));
  return { put, value: put };
};

/** All that wait for a person are given up, on the person's word. @type {Step} */
export const discard = (saves) => {
  const drop = saves.filter((save) => save.parked);
  return { drop, value: drop };
};

/**
 * @param {Save} save
 * @param {Record<string, unknown>} current
 * @returns {boolean} Whether the stored mark is already what the save wants.
 */
export function isDone(save, current) {
  if (save.kind === "delete") {
    return current.deleted === true;
  }
  if (save.kind === "restore") {
    return current.deleted === false;
  }
  return !current.deleted && Object.entries(save.body).every(([name, value]) => isSame(value, current[name]));
}

/** Numbers may have travelled through a database; a millionth of a millionth is no difference. */
function isSame(a, b) {
  if (typeof a === "number" && typeof b === "number") {
    return Math.abs(a - b) <= 1e-12 * Math.max(1, Math.abs(a));
  }
  return JSON.stringify(a) === JSON.stringify(b);
}
