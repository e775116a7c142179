/**
 * The pictures that lie before a person: the first is on the screen, the others are being fetched. Pure steps.
 *
 * @typedef {object} Showing As the server describes it.
 * @property {string} uid
 * @property {number} width_px
 * @property {number} height_px
 * @property {number|null} nm_per_px
 * @property {{url: string}[]} frames
 *
 * @typedef {object} Deck
 * @property {Showing[]} open The first is on the screen.
 * @property {string[]} done Uids of showings answered here: an older answer of the server may still list them.
 */

// Longer than any list of the server's that is still on its way can reach back.
const REMEMBERED = 50;

/** @type {Deck} */
export const EMPTY = Object.freeze({ open: [], done: [] });

/**
 * What the server has handed out joins what is here. A picture that somebody has begun to look at stays, whatever the
 * server says: another tab may have answered it, or others may have said enough.
 *
 * @param {Deck} deck
 * @param {Showing[]} showings Open ones, by the server's word.
 * @param {string|null} [seen] Which one has been on the screen.
 * @returns {Deck}
 */
export function dealt({ open, done }, showings, seen = null) {
  const current = open[0]?.uid === seen ? open[0] : null;
  const waiting = current ? open.slice(1) : open;
  const listed = new Set(showings.map(({ uid }) => uid));
  const here = new Set([...done, ...(current ? [current.uid] : [])]);
  // In their order here, so that what is fetched already comes next; what the server no longer lists is gone.
  const kept = waiting.filter(({ uid }) => listed.has(uid) && !here.has(uid));
  kept.forEach(({ uid }) => here.add(uid));
  const fresh = showings.filter(({ uid }) => !here.has(uid));
  return { open: [...(current ? [current] : []), ...kept, ...fresh], done };
}

/** @param {Deck} deck @returns {Deck} The first has been answered, and the next one lies on top. */
export function answered({ open, done }) {
  const [current, ...rest] = open;
  return { open: rest, done: [...done, current.uid].slice(-REMEMBERED) };
}

/** @param {Deck} deck @param {Showing} showing Its answer was taken back. @returns {Deck} It lies on top again. */
export function putBack({ open, done }, showing) {
  const isOther = ({ uid }) => uid !== showing.uid;
  return { open: [showing, ...open.filter(isOther)], done: done.filter((uid) => uid !== showing.uid) };
}

/** @param {Deck} deck @param {string} uid Its answer was not taken. @returns {Deck} It may be dealt again. */
export const notDone = ({ open, done }, uid) => ({ open, done: done.filter((other) => other !== uid) });

/** @param {Deck} deck @param {string} uid Answered in another tab. @returns {Deck} Without it, unless it is on the screen. */
export function withoutWaiting({ open, done }, uid) {
  return { open: open.filter((showing, place) => place === 0 || showing.uid !== uid), done };
}
