import assert from "node:assert/strict";
import { test } from "node:test";

import { CutoutFrame } from "tektite/geo/cutout";
import { ring } from "tektite/geo/ring";
import { destination, distanceM } from "tektite/geo/sphere";

const MOON = 1_737_400;

/** A picture of a place as a local map gives it: scaled, and turned as near a pole of a polar grid. */
function pictured(center, diameterM, pxPerM, turnDeg) {
  const turn = (turnDeg * Math.PI) / 180;
  const corners = 72;
  return ring(center, diameterM, MOON, corners).map((_, i) => {
    const bearing = (2 * Math.PI * i) / corners;
    const [east, north] = [Math.sin(bearing), Math.cos(bearing)].map((part) => (part * diameterM * pxPerM) / 2);
    return [300 + east * Math.cos(turn) - north * Math.sin(turn), 300 - east * Math.sin(turn) - north * Math.cos(turn)];
  });
}

for (const center of [[10, 0], [-39.9, -17.5], [25, 60], [130, -80], [179.99, 12]]) {
  for (const turnDeg of [0, 40, 180]) {
    test(`a place near ${center} and its pixel lead to each other, turned by ${turnDeg}°`, () => {
      const frame = new CutoutFrame(center, 12_000, pictured(center, 12_000, 0.02, turnDeg), MOON);
      assert.ok(Math.abs(frame.pxPerM - 0.02) < 1e-9);
      assert.ok(distanceM(frame.lonLat([300, 300]), center, MOON) < 1e-3);
      for (const bearing of [0, 77, 200, 310]) {
        const place = destination(center, bearing, 4_000, MOON);
        const px = frame.px(place);
        assert.ok(Math.abs(Math.hypot(px[0] - 300, px[1] - 300) - 80) < 1e-6);
        assert.ok(distanceM(frame.lonLat(px), place, MOON) < 1e-3);
      }
    });
  }
}
