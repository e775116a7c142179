/** Steps of a slider whose values are far from even. */

/**
 * @param {number[]} values Rising, between 0 and 1.
 * @param {number} asked
 * @returns {number | null} Which of them is nearest on a scale of odds; null where `asked` is no probability.
 */
export function nearestStep(values, asked) {
  if (!(asked > 0 && asked < 1) || !values.length) {
    return null;
  }
  const away = values.map((value) => Math.abs(odds(value) - odds(asked)));
  return away.indexOf(Math.min(...away));
}

/** @type {(share: number) => number} */
const odds = (share) => Math.log(share / (1 - share));
