/** JSON over HTTP with Django's session: one way to ask, one kind of error. */

import { gettext } from "tektite/lib/i18n";

// A connection that hangs is as good as none.
const PATIENCE_MS = 30_000;

/** What the server, or the lack of one, said instead of an answer. */
export class ApiError extends Error {
  /**
   * @param {string} message A sentence for people.
   * @param {{status?: number, code?: string, current?: object|null}} [details] Status 0: no answer at all.
   */
  constructor(message, { status = 0, code = "offline", current = null } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.current = current;
  }

  /** Whether the same request may succeed later without anybody doing anything. */
  get isPassing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
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
  const headers = { Accept: "application/json" };
  if (method !== "GET") {
    headers["X-CSRFToken"] = csrfToken();
  }
  if (body !== null) {
    headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(url, {
      method,
      headers,
      signal: signal ?? AbortSignal.timeout(PATIENCE_MS),
      credentials: "same-origin",
      body: body === null ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") {
      throw error;
    }
    throw new ApiError(gettext("The server cannot be reached. Check the connection."));
  }
  const answer = await json(response);
  if (!response.ok) {
    throw new ApiError(answer?.message ?? gettext("The server could not do this. Try again in a moment."), {
      status: response.status,
      code: answer?.code ?? String(response.status),
      current: answer?.current ?? null,
    });
  }
  return answer;
}

/** The cookie is asked each time: signing in again in another tab changes it. */
function csrfToken() {
  const cookie = /(?:^|;\s*)(?:__Host-)?csrftoken=([^;]+)/.exec(document.cookie)?.[1];
  return cookie ?? document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

async function json(response) {
  try {
    return await response.json();
  } catch {
    return null;
  }
}
