/** Times of day and spans as people say them. */

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
  return Math.ceil((Date.parse(iso) - now) / 60_000);
}
