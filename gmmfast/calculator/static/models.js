// @ts-check
// The covariance models: icons of their ellipses, and the fields to choose one.

import { make } from "./dom.js";

const CODES = { full: "VVV", tied: "EEE", diag: "VVI", spherical: "VII", E: "EII", V: "VII" };
const SVG = "http://www.w3.org/2000/svg";

/**
 * Two ellipses that show a model.
 * @param {string} model a covariance type; "all" gives three ellipses without anything in common
 * @returns {{ cx: number, cy: number, rx: number, ry: number, angle: number }[]}
 */
export function ellipsesOf(model) {
  if (model === "all") {
    return [
      { cx: 7, cy: 15, rx: 4.5, ry: 4.5, angle: 0 },
      { cx: 17, cy: 14, rx: 7, ry: 3, angle: -30 },
      { cx: 27, cy: 14, rx: 3, ry: 6.5, angle: 0 },
    ];
  }
  const [volume, shape, axes] = CODES[model] ?? model;
  const sizes = volume === "V" ? [4, 6] : [5, 5];
  const round = shape === "I";
  const ratios = round ? [1, 1] : shape === "E" ? [2, 2] : axes === "V" ? [2.6, 1.4] : [2, 0.5];
  const angles = round || axes === "I" ? [0, 0] : axes === "E" ? [-30, -30] : [-35, 40];
  return [0, 1].map((i) => ({
    cx: [9, 24][i],
    cy: [16, 13][i],
    rx: sizes[i] * Math.sqrt(ratios[i]),
    ry: sizes[i] / Math.sqrt(ratios[i]),
    angle: angles[i],
  }));
}

/**
 * What the components of a model have in common.
 * @param {string} model a covariance type
 */
export function describe(model) {
  const [volume, shape, axes] = CODES[model] ?? model;
  const kinds = { E: "equal", V: "different" };
  if (model in kinds) return `${kinds[model]} variances`;
  const form = shape === "I" ? "round" : `${kinds[shape]} shapes`;
  const direction = axes === "I" ? "axes along the columns" : `${kinds[axes]} axes`;
  return [`${kinds[volume]} volumes`, form, ...(shape === "I" ? [] : [direction])].join(", ");
}

/** @param {string} model */
export function icon(model) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 34 28");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  for (const { cx, cy, rx, ry, angle } of ellipsesOf(model)) {
    const ellipse = document.createElementNS(SVG, "ellipse");
    for (const [name, value] of Object.entries({ cx, cy, rx, ry }))
      ellipse.setAttribute(name, value.toFixed(2));
    ellipse.setAttribute("transform", `rotate(${angle} ${cx} ${cy})`);
    svg.append(ellipse);
  }
  return svg;
}

/**
 * A field that chooses a model.
 * @param {string} model
 * @param {string} [text]
 */
export function modelField(model, text = model) {
  return make(
    "label",
    {},
    make("input", { type: "radio", name: "covariance", value: model }),
    icon(model),
    text,
  );
}
