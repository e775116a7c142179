/** The other tabs of the same person on the same page: one works at a time, and all hear what it did. */

export class Tabs {
  /** @param {string} name The same in all of them. */
  constructor(name) {
    this.name = name;
    this.channel = globalThis.BroadcastChannel ? new BroadcastChannel(name) : null;
  }

  /**
   * @param {() => Promise<void>} work Done while no other tab does the like; a tab that dies lets the next one begin.
   *   Without TLS browsers have no such locks: then tabs work side by side, which the server's answers make harmless.
   */
  async alone(work) {
    await (globalThis.navigator?.locks ? navigator.locks.request(this.name, work) : work());
  }

  /** @param {object} message To the others; plain data. */
  post(message) {
    this.channel?.postMessage(message);
  }

  /** @param {(message: any) => void} hear */
  onMessage(hear) {
    this.channel?.addEventListener("message", ({ data }) => hear(data));
  }
}
