/** The images of showings: fetched ahead, unpacked before they are needed, and let go of afterwards. */

/** @typedef {import("tektite/pages/triage/deck").Showing} Showing */

/**
 * @typedef {object} Loading
 * @property {HTMLImageElement[]} images One for each frame of the focus series; fetched when wanted.
 * @property {Promise<void>} ready The frame to begin with can be painted at once; rejects where it does not come.
 * @property {boolean} isReady
 */

// The last ten may be taken back, and two more are ahead.
const KEPT = 16;

/** @param {Showing} showing @returns {number} The frame to begin with: the middle of a focus series. */
export const firstFrame = ({ frames }) => Math.floor((frames.length - 1) / 2);

export class Pictures {
  constructor() {
    /** @type {Map<string, Loading>} By the showing's uid, the latest wanted last. */
    this.loading = new Map();
  }

  /** @param {Showing} showing @returns {Loading} */
  of(showing) {
    const known = this.loading.get(showing.uid);
    const loading = known ?? this.#begin(showing);
    this.loading.delete(showing.uid);
    this.loading.set(showing.uid, loading);
    for (const uid of [...this.loading.keys()].slice(0, -KEPT)) {
      this.loading.delete(uid);
    }
    return loading;
  }

  /** @param {Showing} showing On the screen now: its other frames are wanted too. */
  fetchFrames(showing) {
    const { images } = this.of(showing);
    showing.frames.forEach(({ url }, number) => want(images[number], url));
  }

  #begin(showing) {
    const images = imagesOf(showing);
    const first = firstFrame(showing);
    want(images[first], showing.frames[first].url);
    const loading = { images, isReady: false, ready: images[first].decode() };
    loading.ready.then(
      () => {
        loading.isReady = true;
      },
      // What did not come is asked for anew by whoever wants it next.
      () => this.loading.get(showing.uid) === loading && this.loading.delete(showing.uid),
    );
    return loading;
  }
}

function imagesOf(showing) {
  return showing.frames.map(() => {
    const image = new Image(showing.width_px, showing.height_px);
    image.alt = "";
    image.draggable = false;
    return image;
  });
}

function want(image, url) {
  if (!image.src) {
    image.src = url;
  }
}
