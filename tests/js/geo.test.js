import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { circleFromRim } from "tektite/geo/circlefit";
import { degreesText, lengthText, magnificationText, numberText, valueText } from "tektite/geo/format";
import { distanceToLine, isInside, pick } from "tektite/geo/hit";
import { fromLeaflet, toLeaflet } from "tektite/geo/lonlat";
import { makeProjection, spokenForProj4 } from "tektite/geo/projection";
import { maxDiameterM, ring } from "tektite/geo/ring";
import { groundSize, scaleBar } from "tektite/geo/scale";
import { bearingDeg, destination, distanceM, normaliseLon } from "tektite/geo/sphere";
import { proj4 } from "./proj4.js";

const MOON = 1_737_400;
const CENTERS = [
  [10, 0],
  [-39.9, -17.5],
  [25, 60],
  [130, -80],
  [179.99, 12],
  [-180, -60],
  [0, 89.95],
  [77, -90],
];
const DIAMETERS_M = [250, 9_710, 400_000];

const close = (actual, expected, tolerance, message) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${message ?? ""} ${actual} is not ${expected} ± ${tolerance}`);

test("it works: a quarter of the Moon's equator", () => {
  close(distanceM([0, 0], [90, 0], MOON), (MOON * Math.PI) / 2, 1e-6);
  close(bearingDeg([0, 0], [90, 0]), 90, 1e-12);
  const [lon, lat] = destination([0, 0], 0, (MOON * Math.PI) / 4, MOON);
  close(lon, 0, 1e-12);
  close(lat, 45, 1e-12);
});

test("destination, distance and bearing undo each other at all latitudes", () => {
  for (const center of CENTERS) {
    for (const metres of [1, 5_000, 900_000]) {
      for (const bearing of [0, 33, 90, 181, 300]) {
        const end = destination(center, bearing, metres, MOON);
        close(distanceM(center, end, MOON), metres, 1e-6 * metres + 1e-6, `from ${center}`);
        assert.ok(end[0] >= -180 && end[0] < 180);
        if (metres > 1 && Math.abs(center[1]) < 90) {
          close(((bearingDeg(center, end) - bearing + 540) % 360) - 180, 0, 1e-5, `from ${center}`);
        }
      }
    }
  }
});

test("longitudes come home from any number of turns", () => {
  assert.deepEqual([180, -180, 190, -190, 540, 720, -0.5].map(normaliseLon), [-180, -180, -170, 170, -180, 0, -0.5]);
});

const SHARED = JSON.parse(readFileSync(new URL("../data/geodesy_cases.json", import.meta.url), "utf8"));

/** Metres between two positions that should be one; on the sphere, because at a pole longitudes mean nothing. */
const apart = (a, b, radiusM) => distanceM(a, b, radiusM);

test("the cases shared with Python and PostGIS: distances and bearings", () => {
  for (const given of SHARED.distance) {
    const metres = distanceM(given.from, given.to, given.radius_m);
    close(metres, given.distance_m, 1e-9 * given.radius_m);
    const angle = ((bearingDeg(given.from, given.to) - given.bearing_deg + 540) % 360) - 180;
    close(angle, 0, 1e-7);
  }
});

test("the cases shared with Python and PostGIS: destinations and rings", () => {
  for (const given of SHARED.destination) {
    const end = destination(given.from, given.bearing_deg, given.distance_m, given.radius_m);
    close(apart(end, given.to, given.radius_m), 0, 1e-9 * given.radius_m);
  }
  for (const given of SHARED.ring) {
    const corners = ring(given.center, given.diameter_m, given.radius_m, given.bearings_deg.length);
    given.points.forEach((point, i) => close(apart(corners[i], point, given.radius_m), 0, 1e-9 * given.radius_m));
  }
});

test("the cases shared with Python and PostGIS: circles through three rim points", () => {
  for (const given of SHARED.circle_from_rim) {
    const fit = circleFromRim(given.points, given.radius_m);
    const slack = 1e-7 * given.diameter_m + 1e-7;
    close(apart([fit.lon, fit.lat], given.center, given.radius_m), 0, slack);
    close(fit.diameterM, given.diameter_m, slack);
  }
  for (const given of SHARED.circle_refused) {
    assert.equal(circleFromRim(given.points, MOON), null, given.why);
  }
});

test("every corner of a ring is half a diameter from its centre", () => {
  for (const center of CENTERS) {
    for (const diameterM of DIAMETERS_M) {
      const corners = ring(center, diameterM, MOON);
      assert.equal(corners.length, 73);
      assert.deepEqual(corners[0], corners[72]);
      for (const corner of corners) {
        close(distanceM(center, corner, MOON), diameterM / 2, 1e-6 * diameterM, `ring at ${center}`);
      }
    }
  }
  assert.ok(maxDiameterM(MOON) > 5_458_000);
});

test("three rim points give back the circle they were taken from", () => {
  for (const center of CENTERS) {
    for (const diameterM of DIAMETERS_M) {
      for (const bearings of [
        [10, 130, 250],
        [0, 40, 95],
        [250, 10, 130],
      ]) {
        const rim = bearings.map((bearing) => destination(center, bearing, diameterM / 2, MOON));
        const fit = circleFromRim(rim, MOON);
        close(distanceM([fit.lon, fit.lat], center, MOON), 0, 1e-5 * diameterM, `centre at ${center}`);
        close(fit.diameterM, diameterM, 2e-5 * diameterM, `diameter at ${center}`);
      }
    }
  }
});

test("three points on a line, or two in one place, fix no circle", () => {
  assert.equal(circleFromRim([[0, 0], [1, 0], [2, 0]].map(([lon]) => [lon / 100, 0]), MOON), null);
  assert.equal(circleFromRim([[5, 5], [5, 5], [6, 6]], MOON), null);
  assert.equal(circleFromRim([[5, 5], [5, 5], [5, 5]], MOON), null);
});

const grid = (proj, originX, originY, pixelSize, widthPx, heightPx) => ({
  proj4: proj,
  origin_x: originX,
  origin_y: originY,
  pixel_size: pixelSize,
  width_px: widthPx,
  height_px: heightPx,
});
const METRE_PER_DEGREE = (MOON * Math.PI) / 180;
const GRIDS = {
  "longitude and latitude": grid("+proj=longlat +R=1737400 +no_defs", -45, -10, 0.01, 1000, 1000),
  "0 to 360 degrees": grid("+proj=longlat +a=1737400 +b=1737400 +no_defs", 0, 90, 1, 360, 180),
  equirectangular: grid("+proj=eqc +lat_ts=0 +lon_0=0 +R=1737400 +units=m +no_defs", -60 * METRE_PER_DEGREE, 0, 118, 9000, 9000),
  "across the seam": grid("+proj=eqc +lon_0=0 +R=1737400 +units=m +no_defs +type=crs", 175 * METRE_PER_DEGREE, 1e5, 100, 3000, 2000),
  "around 180": grid("+proj=eqc +lat_ts=0 +lon_0=180 +R=1737400 +units=m", -150_000, 1e5, 100, 3000, 2000),
  "south pole": grid("+proj=stere +lat_0=-90 +lon_0=0 +k=1 +R=1737400 +units=m", -400_000, 400_000, 200, 4000, 4000),
};

test("pixels become positions and come back, on every kind of grid", () => {
  for (const [name, json] of Object.entries(GRIDS)) {
    const projection = makeProjection(proj4, json);
    for (const x of [0.5, json.width_px * 0.37, json.width_px - 0.5]) {
      for (const y of [0.5, json.height_px * 0.81, json.height_px - 0.5]) {
        const position = projection.toLonLat([x, y]);
        assert.ok(position[0] >= -180 && position[0] < 180, name);
        const [backX, backY] = projection.toGrid(position);
        close(backX, x, 1e-6, name);
        close(backY, y, 1e-6, name);
      }
    }
  }
});

const { grids: PLANES, others: OTHERS } = JSON.parse(
  readFileSync(new URL("../data/grid_cases.json", import.meta.url), "utf8"),
);

test("the grids shared with Python: places lie where the textbook puts them, and come back", () => {
  assert.equal(PLANES.length, 8);
  for (const { name, grid: json, points } of PLANES) {
    const projection = makeProjection(proj4, json);
    for (const [lon, lat, x, y] of points) {
      const [foundX, foundY] = projection.toGrid([lon, lat]);
      close(foundX, x, 1e-5, `${name} at ${lon}, ${lat}`);
      close(foundY, y, 1e-5, `${name} at ${lon}, ${lat}`);
      const back = projection.toLonLat([x, y]);
      close(distanceM(back, [lon, lat], MOON), 0, 0.05, `${name} at ${lon}, ${lat}`);
    }
  }
});

test("every other projection that is taken in puts places where PROJ does", () => {
  assert.ok(OTHERS.length > 15);
  for (const { proj4: words, places } of OTHERS) {
    const projection = makeProjection(proj4, grid(words, 0, 0, 1, 1, 1));
    for (const [lon, lat, x, y] of places) {
      const found = projection.toGrid([lon, lat]);
      // Of a map that repeats itself the copy nearest to the middle, here to 0.
      const turns = projection.periodPx ? Math.round((found[0] - x) / projection.periodPx) : 0;
      close(found[0] - turns * (projection.periodPx ?? 0), x, 0.1, words);
      close(found[1], -y, 0.1, words);
    }
  }
});

test("the centre of an azimuthal map is a place like any other", () => {
  const azimuthal = PLANES.find(({ name }) => name === "azimuthal equidistant");
  const projection = makeProjection(proj4, azimuthal.grid);
  const points = projection.lineToGrid(ring([-170, -50], 40_000, MOON));
  const [x, y] = projection.toGrid([-170, -50]);
  for (const [rimX, rimY] of points) {
    close(Math.hypot(rimX - x, rimY - y), 20_000 / 2_300, 1e-6);
  }
});

test("a map in kilometres is not one in metres", () => {
  const km = makeProjection(proj4, grid("+proj=eqc +lat_ts=40 +lon_0=120 +units=km +a=1737400 +b=1737400", -1000, 1000, 1, 2000, 2000));
  const [x, y] = km.toGrid([120, 10]);
  close(x, 1000, 1e-9);
  close(y, 1000 - (10 * METRE_PER_DEGREE) / 1000, 1e-9);
});

test("only a map of a whole body goes on beyond its edges", () => {
  const wraps = Object.fromEntries(PLANES.map(({ name, grid: json }) => [name, makeProjection(proj4, json).wrapPx]));
  for (const name of ["degrees −180…180", "degrees 0…360", "equirectangular metres"]) {
    close(wraps[name], 1440, 1e-6, name);
  }
  for (const name of ["Mercator", "Lambert conformal conic", "polar stereographic north", "azimuthal equidistant"]) {
    assert.equal(wraps[name], null, name);
  }
});

test("the Moon's radius reaches proj4, which knows no +R", () => {
  assert.equal(
    spokenForProj4("+proj=eqc +lon_0=0 +R=1737400 +units=m +no_defs +type=crs"),
    "+proj=eqc +lon_0=0 +a=1737400 +b=1737400 +units=m +no_defs +x_0=0 +y_0=0",
  );
  const projection = makeProjection(proj4, GRIDS.equirectangular);
  const [x] = projection.toGrid([-59, -1]);
  close(x, METRE_PER_DEGREE / 118, 1e-9);
});

test("a ring across ±180° is one piece on the grid", () => {
  for (const name of ["across the seam", "around 180", "0 to 360 degrees"]) {
    const projection = makeProjection(proj4, GRIDS[name]);
    const points = projection.lineToGrid(ring([179.95, 0], 30_000, MOON));
    assert.equal(points.length, 73);
    const widest = Math.max(...points.map((point, i) => (i ? Math.abs(point[0] - points[i - 1][0]) : 0)));
    assert.ok(widest < (name.startsWith("0") ? 1 : 50), `${name}: a jump of ${widest} px`);
  }
});

test("beyond the edge of the world there is no position", () => {
  const world = makeProjection(proj4, grid("+proj=eqc +lon_0=0 +R=1737400", -180 * METRE_PER_DEGREE, 90 * METRE_PER_DEGREE, METRE_PER_DEGREE, 360, 180));
  assert.equal(world.toLonLat([10, -5]), null);
  assert.equal(world.toLonLat([10, 181]), null);
  assert.ok(world.toLonLat([10, 0.001]));
  const geographic = makeProjection(proj4, grid("+proj=longlat +R=1737400", -180, 90, 1, 360, 180));
  assert.equal(geographic.toLonLat([10, -5]), null);
  const sinusoidal = makeProjection(proj4, grid("+proj=sinu +lon_0=0 +R=1737400", -180 * METRE_PER_DEGREE, 90 * METRE_PER_DEGREE, METRE_PER_DEGREE, 360, 180));
  assert.equal(sinusoidal.toLonLat([10, 10]), null);
  assert.ok(sinusoidal.toLonLat([180, 10]));
});

test("the scale bar is the longest round length that fits", () => {
  assert.deepEqual(scaleBar(118, 180), { lengthM: 20_000, widthPx: 20_000 / 118, label: "20 km" });
  assert.equal(scaleBar(0.5, 100).label, "50 m");
  assert.equal(scaleBar(10, 100).lengthM, 1000);
  for (const mPerPx of [0.003, 0.7, 12, 5e4]) {
    const { widthPx } = scaleBar(mPerPx, 150);
    assert.ok(widthPx <= 150.001 && widthPx > 150 / 2.6);
  }
});

test("the scale is the ground's, not the projection's: half as much at 60° north", () => {
  const projection = makeProjection(proj4, grid("+proj=eqc +lon_0=0 +R=1737400", 0, 90 * METRE_PER_DEGREE, 100, 100, 100));
  const at = (lat) => {
    const [x, y] = projection.toGrid([0.01, lat]);
    return groundSize((px, py) => projection.toLonLat([px, py]), { x, y }, MOON);
  };
  close(at(0), 100, 0.01);
  close(at(60), 50, 0.01);
  close(at(-80), 100 * Math.cos((80 * Math.PI) / 180), 0.01);
});

test("numbers carry true minus signs and sensible digits", () => {
  assert.equal(numberText(-3.14159, 2), "−3.14");
  assert.equal(numberText(-0.001, 2), "0.00");
  assert.equal(degreesText(-27.41823), "−27.4182°");
  assert.deepEqual(
    [0.25, 4.5, 12.34, 845.2, 999.7, 1234, 9710, 33_400, 1_234_567].map(lengthText),
    ["0.25 m", "4.50 m", "12.3 m", "845 m", "1.00 km", "1.23 km", "9.71 km", "33.4 km", "1235 km"],
  );
  assert.deepEqual([5, 6, 4, 3.5, 1].map((zoom) => magnificationText(zoom, 5)), ["native", "2×", "½×", "1/2.8×", "1/16×"]);
  assert.deepEqual([valueText(-1834.2, "m"), valueText(7.25, "°"), valueText(0.00012, "1/m")], ["−1834 m", "7.25°", "0.00012 1/m"]);
});

test("Leaflet's order is turned round in one place", () => {
  assert.deepEqual(toLeaflet([3, 4]), [4, 3]);
  assert.deepEqual(fromLeaflet({ lat: 4, lng: 3 }), [3, 4]);
});

const circleOnScreen = (x, y, radius) =>
  Float64Array.from(ring([0, 0], 2, 1e6, 72).flatMap((_, i) => [x + radius * Math.sin((i * Math.PI) / 36), y - radius * Math.cos((i * Math.PI) / 36)]));
const RINGS = [
  { value: "big", line: circleOnScreen(200, 200, 150), diameter: 300 },
  { value: "small", line: circleOnScreen(220, 200, 12), diameter: 24 },
  { value: "on the rim", line: circleOnScreen(350, 200, 6), diameter: 12 },
];

test("a click takes the nearest rim, and away from all rims the smallest ring around it", () => {
  assert.equal(pick({ x: 200, y: 52 }, RINGS, 8), "big");
  assert.equal(pick({ x: 234, y: 200 }, RINGS, 8), "small");
  assert.equal(pick({ x: 220, y: 200 }, RINGS, 4), "small");
  assert.equal(pick({ x: 355, y: 200 }, RINGS, 8), "on the rim");
  assert.equal(pick({ x: 120, y: 200 }, RINGS, 8), "big");
  assert.equal(pick({ x: 400, y: 400 }, RINGS, 8), null);
  assert.equal(isInside({ x: 200, y: 200 }, RINGS[0].line), true);
  close(distanceToLine({ x: 200, y: 60 }, RINGS[0].line), 10, 0.2);
});
