/** Signing in without leaving the page: the site's own form, sent in the background. */

import { ApiError, csrfToken } from "tektite/lib/api";
import { gettext } from "tektite/lib/i18n";

const AS_SCRIPT = { Accept: "application/json", "X-Requested-With": "XMLHttpRequest" };

/**
 * @param {string} url Of the sign-in page.
 * @param {URLSearchParams} fields As its form has them.
 * @returns {Promise<void>}
 * @throws {ApiError} With the form's own sentence.
 */
export async function signIn(url, fields) {
  // Asking first brings the token that the form needs, even where every cookie was cleared.
  const known = await answerOf(fetch(url, { headers: AS_SCRIPT }));
  if (known.location) {
    return; // somebody is signed in already: the server will say whether it is the right one
  }
  const headers = { ...AS_SCRIPT, "X-CSRFToken": csrfToken() };
  await answerOf(fetch(url, { method: "POST", headers, body: fields }));
}

async function answerOf(asked) {
  let response;
  let answer;
  try {
    response = await asked;
  } catch {
    throw new ApiError(gettext("The server cannot be reached. Check the connection."));
  }
  try {
    answer = await response.json();
  } catch {
    answer = {};
  }
  if (!response.ok) {
    throw new ApiError(sentenceOf(answer, response.status), { status: response.status });
  }
  return answer;
}

function sentenceOf({ form, message }, status) {
  const errors = [...(form?.errors ?? []), ...Object.values(form?.fields ?? {}).flatMap(({ errors: own }) => own)];
  if (errors.length) {
    return errors.join(" ");
  }
  if (status === 429) {
    return gettext("Too many tries. Wait a few minutes and try again.");
  }
  return message ?? gettext("The server could not do this. Try again in a moment.");
}
