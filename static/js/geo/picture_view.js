/**
 * A picture in a box of the screen, whole or enlarged: where its pixels lie, and what is a pixel of it under a finger.
 *
 * @typedef {object} PictureView
 * @property {number} width Of the picture, its own pixels.
 * @property {number} height
 * @property {number} boxWidth Of the box, CSS pixels.
 * @property {number} boxHeight
 * @property {number} scale CSS pixels for one pixel of the picture.
 * @property {number} left Of the picture's left edge in the box.
 * @property {number} top
 *
 * @typedef {{x: number, y: number}} Point
 */

// As near as a pixel of the picture can be looked at, and how much nearer than whole any picture can.
const LARGEST_PIXEL = 12;
const LEAST_ENLARGED = 4;
const STEPS = [5, 2, 1];

/**
 * @param {{width: number, height: number}} picture
 * @param {{width: number, height: number}} box
 * @returns {PictureView} The whole picture, in the middle, as large as it goes.
 */
export function wholeIn(picture, box) {
  const view = {
    width: picture.width,
    height: picture.height,
    boxWidth: box.width,
    boxHeight: box.height,
    scale: 1,
    left: 0,
    top: 0,
  };
  return kept({ ...view, scale: wholeScale(view) });
}

/** @param {PictureView} view @returns {boolean} Whether all of the picture is seen. */
export const isWhole = (view) => view.scale <= wholeScale(view) * 1.0001;

/** @param {PictureView} view @param {Point} spot In the box. @returns {Point} In the picture; perhaps beyond its edge. */
export const toPicture = (view, { x, y }) => ({ x: (x - view.left) / view.scale, y: (y - view.top) / view.scale });

/** @param {PictureView} view @param {Point} pixel @returns {Point} In the box. */
export const toBox = (view, { x, y }) => ({ x: view.left + x * view.scale, y: view.top + y * view.scale });

/** @param {PictureView} view @param {Point} pixel @returns {boolean} */
export const isInside = (view, { x, y }) => x >= 0 && y >= 0 && x <= view.width && y <= view.height;

/** @param {PictureView} view @param {Point} pixel @returns {Point} The nearest one that the picture has. */
export const into = (view, { x, y }) => ({ x: clamp(x, 0, view.width), y: clamp(y, 0, view.height) });

/**
 * @param {PictureView} view
 * @param {number} factor Larger than 1 enlarges.
 * @param {Point} [spot] In the box: what lies there stays there, as far as the edges allow.
 * @returns {PictureView}
 */
export function zoomed(view, factor, spot = { x: view.boxWidth / 2, y: view.boxHeight / 2 }) {
  const least = wholeScale(view);
  const scale = clamp(view.scale * factor, least, Math.max(LARGEST_PIXEL, LEAST_ENLARGED * least));
  const { x, y } = toPicture(view, spot);
  return kept({ ...view, scale, left: spot.x - x * scale, top: spot.y - y * scale });
}

/** @param {PictureView} view @param {number} dx CSS pixels to the right. @param {number} dy @returns {PictureView} */
export const moved = (view, dx, dy) => kept({ ...view, left: view.left + dx, top: view.top + dy });

/** @param {PictureView} view @param {{width: number, height: number}} box @returns {PictureView} In a box of another size. */
export function resized(view, box) {
  const whole = wholeIn({ width: view.width, height: view.height }, box);
  const enlarged = view.scale / wholeScale(view);
  const middle = toPicture(view, { x: view.boxWidth / 2, y: view.boxHeight / 2 });
  const next = zoomed(whole, enlarged);
  const now = toBox(next, middle);
  return moved(next, box.width / 2 - now.x, box.height / 2 - now.y);
}

/** @param {PictureView} view @param {Point} pixel @returns {PictureView} Moved as little as brings the pixel well inside the box. */
export function showing(view, pixel) {
  const { x, y } = toBox(view, pixel);
  const margin = Math.min(view.boxWidth, view.boxHeight) / 6;
  const [nearX, nearY] = [clamp(x, margin, view.boxWidth - margin), clamp(y, margin, view.boxHeight - margin)];
  return moved(view, nearX - x, nearY - y);
}

/**
 * @param {Point[]} marks In the picture.
 * @param {PictureView} view
 * @param {Point} spot In the box.
 * @param {number} reach CSS pixels.
 * @returns {number} Which mark lies nearest within reach; −1 for none.
 */
export function markAt(marks, view, spot, reach) {
  const away = marks.map((mark) => {
    const at = toBox(view, mark);
    return Math.hypot(at.x - spot.x, at.y - spot.y);
  });
  const least = Math.min(...away);
  return least <= reach ? away.indexOf(least) : -1;
}

/**
 * @param {number} nmPerPx Of the picture.
 * @param {number} scale CSS pixels for one pixel of it.
 * @param {number} longestPx
 * @returns {{widthPx: number, label: string}} The longest of 1, 2, 5 × 10ⁿ nm that fits.
 */
export function lengthBar(nmPerPx, scale, longestPx) {
  const nmPerCss = nmPerPx / scale;
  const longest = nmPerCss * longestPx;
  const decade = 10 ** Math.floor(Math.log10(longest) + 1e-9);
  const nm = decade * STEPS.find((step) => step * decade <= longest * (1 + 1e-9));
  return { widthPx: nm / nmPerCss, label: nanometresText(nm) };
}

/** @param {number} nm @returns {string} "500 nm", "2 µm", "1 mm" */
function nanometresText(nm) {
  const [size, unit] = nm >= 1e6 ? [1e6, "mm"] : nm >= 1000 ? [1000, "µm"] : [1, "nm"];
  return `${Number((nm / size).toPrecision(3))} ${unit}`;
}

const wholeScale = (view) => Math.min(view.boxWidth / view.width, view.boxHeight / view.height);

/** In the middle where it is smaller than the box, without a gap where it is larger. */
function kept(view) {
  const along = (size, box, start) => (size <= box ? (box - size) / 2 : clamp(start, box - size, 0));
  return {
    ...view,
    left: along(view.width * view.scale, view.boxWidth, view.left),
    top: along(view.height * view.scale, view.boxHeight, view.top),
  };
}

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
