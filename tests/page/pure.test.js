// Pure functions of the calculator's page: `npm run check`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { describe, ellipsesOf } from "../../gmmfast/calculator/static/models.js";
import { correlations, rangeNear, rank, significant } from "../../gmmfast/calculator/static/numbers.js";
import { asFile, cellsOf, distinctNames } from "../../gmmfast/calculator/static/paste.js";

test("significant digits", () => {
  const shown = [0, 1234.5678, 0.00012345678, 1e-9, 12345678, null, Infinity].map((value) =>
    significant(value),
  );
  assert.deepEqual(shown, ["0", "1234.6", "0.00012346", "1.0000e-9", "1.2346e+7", "–", "Infinity"]);
  assert.equal(significant(9.9999, 3), "10.0");
});

test("cells of a spreadsheet are between tabs, and may be empty", () => {
  assert.deepEqual(cellsOf("1,5\t2;3\r\n\t \r\n"), [
    ["1,5", "2;3"],
    ["", ""],
  ]);
});

test("a paste as a file keeps the empty cells at its end", () => {
  assert.equal(asFile("a\tb\r\n1\t\r\n\r\n"), "a\tb\r\n1\t\n");
});

test("names of columns are distinct", () => {
  assert.deepEqual(distinctNames(["a", "", "a", "a", "x2"]), ["a", "x2", "a_", "a__", "x2_"]);
});

test("ellipses of a model have what its letters say", () => {
  for (const volume of "EV") {
    for (const shape of "EV") {
      for (const axes of "IEV") {
        const [first, second] = ellipsesOf(volume + shape + axes);
        const equal = (one, other) => Math.abs(one - other) < 1e-9;
        assert.equal(equal(first.rx * first.ry, second.rx * second.ry), volume === "E");
        assert.equal(equal(first.rx / first.ry, second.rx / second.ry), shape === "E");
        assert.equal(first.angle === second.angle, axes !== "V");
        assert.equal(first.angle === 0, axes === "I");
      }
    }
  }
  assert.ok(ellipsesOf("EII").every(({ rx, ry }) => rx === ry));
  assert.deepEqual(ellipsesOf("full"), ellipsesOf("VVV"));
  assert.deepEqual(["E", "V"].map(ellipsesOf), ["EII", "VII"].map(ellipsesOf));
  assert.equal(ellipsesOf("all").length, 3);
});

test("models in words", () => {
  const words = ["full", "EVI", "VII", "EEV", "E", "V"].map(describe);
  assert.deepEqual(words, [
    "different volumes, different shapes, different axes",
    "equal volumes, different shapes, axes along the columns",
    "different volumes, round",
    "equal volumes, equal shapes, different axes",
    "equal variances",
    "different variances",
  ]);
});

test("ranking leaves out what cannot be compared", () => {
  const candidates = [
    { bic: 3, degenerate: false },
    { bic: null, degenerate: false },
    { bic: 1, degenerate: true },
    { bic: 2, degenerate: false },
  ];
  assert.deepEqual(
    rank(candidates, "bic").map((one) => one.bic),
    [2, 3],
  );
});

test("the axis of a criterion shows the better half", () => {
  const [low, high] = rangeNear([10, 11, 12, 500, 1000]);
  assert.ok(low < 10 && high > 12 && high < 20);
  assert.ok(rangeNear([5])[1] > 5);
});

test("correlations", () => {
  const [first, second] = correlations([
    [4, 3],
    [3, 9],
  ]);
  assert.deepEqual(
    [first, second],
    [
      [1, 0.5],
      [0.5, 1],
    ],
  );
});
