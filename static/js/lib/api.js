/** JSON over HTTP with Django's session: one way to ask, one kind of error. */

import { heardServer } from "tektite/lib/clock";
import { gettext } from "tektite/lib/i18n";

// A connection that hangs is as good as none.
const PATIENCE_MS = 30_000;

/** What the server, or the lack of one, said instead of an answer. */
export class ApiError extends Error {
  /**
   * @param {string} message A sentence for people.
   * @param {{status?: number, code?: string, current?: object|null, isForeign?: boolean}} [details] Status 0: no
   *   answer at all, or half of one. Foreign: something on the way answered, not our server.
   */
  constructor(message, { status = 0, code = "offline", current = null, isForeign = false } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.current = current;
    this.isForeign = isForeign;
  }

  /** Whether the same request may succeed later without anybody doing anything. */
  get isPassing() {
    return this.isForeign || [0, 408, 425, 429].includes(this.status) || this.status >= 500;
  }
}

/**
 * @param {"GET"|"POST"|"PUT"|"PATCH"|"DELETE"} method
 * @param {string} url
 * @param {object|null} [body]
 * @param {AbortSignal|null} [signal]
 * @returns {Promise<any>} The answer's JSON; null where it is empty.
 * @throws {ApiError}
 */
export async function ask(method, url, body = null, signal = null) {
  const response = await send(method, url, body, signal);
  const answer = await json(response);
  if (!response.ok) {
    throw new ApiError(answer?.message ?? gettext("The server could not do this. Try again in a moment."), {
      status: response.status,
      code: answer?.code ?? String(response.status),
      current: answer?.current ?? null,
      isForeign: answer === null,
    });
  }
  if (answer === null && response.status !== 204) {
    throw new ApiError(gettext("The server's answer broke off on the way."), { code: "half_answer" });
  }
  return answer;
}

async function send(method, url, body, signal) {
  const headers = { Accept: "application/json", ...ownerHeader() };
  if (method !== "GET") {
    headers["X-CSRFToken"] = csrfToken();
  }
  if (body !== null) {
    headers["Content-Type"] = "application/json";
  }
  const sentAt = Date.now();
  try {
    const response = await fetch(url, {
      method,
      headers,
      signal: signal ?? AbortSignal.timeout(PATIENCE_MS),
      credentials: "same-origin",
      body: body === null ? undefined : JSON.stringify(body),
    });
    heardServer(response.headers.get("Date"), sentAt, Date.now());
    return response;
  } catch (error) {
    if (error.name === "AbortError") {
      throw error;
    }
    throw new ApiError(gettext("The server cannot be reached. Check the connection."));
  }
}

/** A page that belongs to one person says so, and the server refuses it to everybody else. */
function ownerHeader() {
  const owner = document.querySelector('meta[name="participant"]')?.content;
  return owner ? { "X-Participant": owner } : {};
}

/** @returns {string} The cookie's, asked each time: signing in again, in any tab, changes it. */
export function csrfToken() {
  const cookie = /(?:^|;\s*)(?:__Host-)?csrftoken=([^;]+)/.exec(document.cookie)?.[1];
  return cookie ?? document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

/** Null where the body is no JSON, or ends in the middle of it. */
async function json(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") {
      throw error;
    }
    return null;
  }
}
