/**
 * The one registry of keys of a page: what a key does, where it is listed, and that no two things share one.
 *
 * @typedef {object} Binding
 * @property {string[]} keys "d", "Shift+d", "Mod+z" (Ctrl, or ⌘ on a Mac), "?", "ArrowLeft". Letters are what is
 *   typed, not where the key lies, so that AZERTY and QWERTZ work.
 * @property {string} group Heading in the panel of keys.
 * @property {string} title What it does.
 * @property {(event: KeyboardEvent) => void} run
 * @property {string[]} [shown] What the panel shows instead of the keys.
 * @property {() => void} [release] The key is held: called when it comes up, or the page loses it.
 * @property {boolean} [repeat] Whether a key kept down runs it again and again.
 * @property {() => boolean} [when] Whether it can be done now; if not, the key goes on to the browser.
 */

/** Elements that take typing; those that Enter and Space press; those that the arrows move. */
const TYPING = 'input:not([type="checkbox"]):not([type="radio"]):not([type="range"]), textarea, select, [contenteditable]';
const PRESSED = "button, a[href], input, summary";
const MOVED = "input";

export class KeyRegistry {
  constructor() {
    /** @type {Binding[]} */
    this.bindings = [];
    /** @type {Map<string, Binding>} */
    this.byKey = new Map();
    /** @type {Map<string, Binding>} Held now, by the key as it will come up. */
    this.held = new Map();
    /** Single letters can be switched off (WCAG 2.1.4); those with Ctrl, and named keys, stay. */
    this.letters = true;
  }

  /** @param {...Binding} bindings */
  add(...bindings) {
    for (const binding of bindings) {
      for (const key of binding.keys) {
        const taken = this.byKey.get(key);
        if (taken) {
          throw new Error(`The key ${key} means "${taken.title}" already; "${binding.title}" needs another.`);
        }
        this.byKey.set(key, binding);
      }
      this.bindings.push(binding);
    }
  }

  /** @returns {Map<string, Binding[]>} By group, in the order in which they were added. */
  groups() {
    const groups = new Map();
    for (const binding of this.bindings) {
      groups.set(binding.group, [...(groups.get(binding.group) ?? []), binding]);
    }
    return groups;
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} Whether it was ours.
   */
  down(event) {
    const key = nameOf(event);
    const binding = this.byKey.get(key);
    if (!binding || event.isComposing || this.#belongsElsewhere(event, key) || binding.when?.() === false) {
      return false;
    }
    event.preventDefault();
    if (event.repeat && !binding.repeat) {
      return true;
    }
    if (binding.release) {
      this.held.set(baseOf(event), binding);
    }
    binding.run(event);
    return true;
  }

  /** @param {KeyboardEvent} event */
  up(event) {
    const key = baseOf(event);
    this.held.get(key)?.release();
    this.held.delete(key);
  }

  /** The page lost the keyboard: nothing is held any more. */
  releaseAll() {
    for (const binding of this.held.values()) {
      binding.release();
    }
    this.held.clear();
  }

  /** @param {Window} page Listen to it. */
  attach(page) {
    page.addEventListener("keydown", (event) => this.down(event));
    page.addEventListener("keyup", (event) => this.up(event));
    page.addEventListener("blur", () => this.releaseAll());
  }

  #belongsElsewhere(event, key) {
    // Until the next frame a dialog that has just closed keeps the keyboard, and nobody sees where it is.
    const target = event.target?.closest?.("dialog:not([open])") ? null : event.target;
    if (event.defaultPrevented || target?.closest?.("dialog[open]")) {
      return true;
    }
    const modified = key.startsWith("Mod+");
    if (target?.matches?.(TYPING) && !(modified && key.endsWith("Enter"))) {
      return true;
    }
    const base = baseOf(event);
    if (!modified && (base === "Enter" || base === "Space") && target?.matches?.(PRESSED)) {
      return true;
    }
    if (base.startsWith("Arrow") && target?.matches?.(MOVED)) {
      return true;
    }
    return !this.letters && isCharacter(key);
  }
}

/**
 * @param {string} key As in a binding.
 * @param {boolean} [mac]
 * @returns {string[]} Its caps, for <kbd>.
 */
export function capsOf(key, mac = false) {
  const names = {
    Mod: mac ? "⌘" : "Ctrl",
    Shift: "⇧",
    Enter: "↵",
    ArrowLeft: "←",
    ArrowRight: "→",
    ArrowUp: "↑",
    ArrowDown: "↓",
    Delete: "Del",
    Escape: "Esc",
  };
  const parts = key === "+" ? ["+"] : key.split("+");
  return parts.map((part) => names[part] ?? part);
}

/** @type {(event: KeyboardEvent) => string} */
function nameOf(event) {
  const base = baseOf(event);
  // AltGr is how some keyboards type [ and ]: it says Ctrl and Alt but means neither.
  const altGraph = event.getModifierState?.("AltGraph") ?? false;
  const mod = (event.ctrlKey || event.metaKey) && !altGraph;
  if (event.altKey && !altGraph) {
    return `Alt+${base}`;
  }
  const shift = event.shiftKey && (base.length > 1 || base.toLowerCase() !== base.toUpperCase());
  return `${mod ? "Mod+" : ""}${shift ? "Shift+" : ""}${base}`;
}

/** @type {(event: KeyboardEvent) => string} */
function baseOf(event) {
  const key = event.key === " " ? "Space" : (event.key ?? "");
  return key.length === 1 ? key.toLowerCase() : key;
}

/** @type {(key: string) => boolean} Typed without Ctrl: one character, perhaps with Shift. */
const isCharacter = (key) => key.replace(/^Shift\+/, "").length === 1;
