/** The token that every change sends back, under the name that the cookie has over TLS and without. */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { csrfToken } from "tektite/lib/api";

afterEach(() => {
  delete globalThis.document;
});

function withCookies(cookie) {
  globalThis.document = { cookie, querySelector: () => null };
}

test("over plain http it is called csrftoken", () => {
  withCookies("a=1; csrftoken=abc; b=2");
  assert.equal(csrfToken(), "abc");
});

test("over TLS its name is bound to the host", () => {
  withCookies("__Host-csrftoken=xyz; other=1");
  assert.equal(csrfToken(), "xyz");
});

test("a neighbour's cookie of a longer name is not taken for it", () => {
  withCookies("my-csrftoken=bad; x__Host-csrftoken=worse");
  assert.equal(csrfToken(), "");
});
