/** Saves that an older version of these pages left in localStorage, where they were no person's in particular. */

/**
 * @param {object} needs
 * @param {Storage} needs.storage
 * @param {string} needs.campaign Its uid.
 * @param {(visit: string) => Promise<boolean>} needs.isMine Whether the visit is the reader's; throws if nobody knows.
 * @param {(save: object) => Promise<boolean>} needs.keep Whether it is kept elsewhere now, for good.
 * @returns {Promise<void>} What belongs to somebody else, and what could not be kept, stays where it is.
 */
export async function carryOver({ storage, campaign, isMine, keep }) {
  const owners = new Map();
  for (const { key, save } of read(storage, `tektite.save.${campaign}.`)) {
    if (!owners.has(save.visit)) {
      owners.set(save.visit, await isMine(save.visit));
    }
    const { visit, mark, kind, body, base } = save;
    if (owners.get(visit) && (await keep({ visit, tile: null, mark, kind, body, shape: body, base }))) {
      storage.removeItem(key);
    }
  }
}

function read(storage, prefix) {
  const keys = Array.from({ length: storage.length }, (_, i) => storage.key(i)).filter((key) => key.startsWith(prefix));
  return keys.map((key) => ({ key, save: JSON.parse(storage.getItem(key)) })).sort((a, b) => a.save.at - b.save.at);
}
