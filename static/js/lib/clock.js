/** The server's time, times of day, and spans as people say them. */

// The Date header counts whole seconds: on average it is half a second behind.
const HALF_A_SECOND_MS = 500;

let aheadMs = 0;

/**
 * Learn what time it is from an answer: the clock of this machine may be wrong by hours.
 *
 * @param {string|null} date The server's word for now: a Date header or an ISO time.
 * @param {number} sentAt This machine's milliseconds when it was asked, and when it had answered.
 * @param {number} heardAt
 */
export function heardServer(date, sentAt, heardAt) {
  const said = Date.parse(date ?? "");
  if (Number.isFinite(said)) {
    aheadMs = said + HALF_A_SECOND_MS - (sentAt + heardAt) / 2;
  }
}

/** @returns {number} Milliseconds, by the server's clock. */
export function serverNow() {
  return Date.now() + aheadMs;
}

/** @returns {number} By how many minutes this machine's clock is fast; negative where it is slow. */
export function minutesFast() {
  return Math.round(-aheadMs / 60_000);
}

/**
 * @param {Date} date
 * @returns {string} "12:03", in the reader's own time.
 */
export function clockText(date) {
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
}

/**
 * @param {string} iso When it ends.
 * @param {number} now Milliseconds.
 * @returns {number} Whole minutes left, rounded up; 0 or less when over.
 */
export function minutesLeft(iso, now) {
  return Math.ceil((Date.parse(iso) - now - HALF_A_SECOND_MS) / 60_000);
}
