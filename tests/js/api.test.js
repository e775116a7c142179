/** What came back, or did not: which answers are final, and which will come if one asks again. */

import "./node18.js";
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ask } from "tektite/lib/api";
import { minutesFast, minutesLeft, serverNow } from "tektite/lib/clock";

const { fetch } = globalThis;
let owner = null;

beforeEach(() => {
  owner = null;
  globalThis.document = {
    cookie: "csrftoken=abc",
    querySelector: (selector) => (selector.includes("participant") && owner ? { content: owner } : null),
  };
});

afterEach(() => {
  delete globalThis.document;
  globalThis.fetch = fetch;
});

/** @returns {object[]} What was asked, while the server answers so. */
function answer(body, { status = 200, date = new Date().toUTCString() } = {}) {
  const asked = [];
  globalThis.fetch = async (url, options) => {
    asked.push({ url, ...options });
    return new Response(body, { status, headers: { Date: date } });
  };
  return asked;
}

const refused = async () => {
  try {
    await ask("POST", "x", {});
  } catch (error) {
    return error;
  }
  return assert.fail("it was not refused");
};

test("it works, and a page that is somebody's says whose", async () => {
  owner = "ada";
  const asked = answer('{"a": 1}');
  assert.deepEqual(await ask("POST", "x", { b: 2 }), { a: 1 });
  assert.equal(asked[0].headers["X-Participant"], "ada");
  assert.equal(asked[0].headers["X-CSRFToken"], "abc");
  answer(null, { status: 204 });
  assert.equal(await ask("POST", "x"), null);
});

test("half an answer is none: the same request may be sent again", async () => {
  for (const half of ['{"uid": "7b0e', "", "<html>Welcome to the airport</html>"]) {
    answer(half);
    const error = await refused();
    assert.equal(error.isPassing, true, half);
    assert.equal(error.code, "half_answer");
  }
});

test("a server in trouble, and what stands between, pass; a refusal of ours does not", async () => {
  for (const [status, body, isPassing] of [
    [500, "<h1>Server Error</h1>", true],
    [503, "", true],
    [429, '{"message": "Wait."}', true],
    [403, "<html>Blocked by your proxy</html>", true],
    [403, '{"code": "not_allowed", "message": "Your role does not allow this."}', false],
    [409, '{"code": "lease_lost", "message": "Your lease ran out."}', false],
  ]) {
    answer(body, { status });
    assert.equal((await refused()).isPassing, isPassing, `${status} ${body}`);
  }
});

test("no connection, said in a sentence", async () => {
  globalThis.fetch = async () => {
    throw new TypeError("Failed to fetch");
  };
  const error = await refused();
  assert.equal(error.isPassing, true);
  assert.match(error.message, /cannot be reached/);
});

test("the time is the server's, however wrong this machine's clock is", async () => {
  const sixHoursOn = new Date(Date.now() + 6 * 3600_000);
  answer("{}", { date: sixHoursOn.toUTCString() });
  await ask("GET", "x");
  assert.equal(minutesFast(), -360);
  const inTenMinutes = new Date(sixHoursOn.getTime() + 10 * 60_000).toISOString();
  assert.equal(minutesLeft(inTenMinutes, serverNow()), 10);
});
