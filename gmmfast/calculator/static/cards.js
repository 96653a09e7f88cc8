// @ts-check
// A card for each component: share, what distinguishes it, means with one standard deviation.

import { marker, paint } from "./charts.js";
import { make } from "./dom.js";
import { significant } from "./numbers.js";

const MOST_CARDS = 24;
const MOST_COLUMNS = 8; // on a card: those in which the component differs most from all rows

/** The symbol and the name of a component. */
export function swatch(k) {
  return make("span", { class: "swatch" }, marker(k), `component ${k}`);
}

/**
 * @param {{ report: any, sizes: number[], portraits: any[], overall: any }} result
 * @returns {HTMLElement[]}
 */
export function cards({ report, sizes, portraits, overall }) {
  const found = portraits.slice(0, MOST_CARDS).map((portrait, k) => {
    const share = make("span", {}, `${(100 * report.weights[k]).toFixed(1)} %`);
    const columns = portrait.order.slice(0, MOST_COLUMNS);
    const rest = report.columns.length - columns.length;
    const more = rest ? [make("p", {}, `The other ${rest} columns are among the numbers.`)] : [];
    return make(
      "article",
      { class: "card", "aria-label": `Component ${k}` },
      make("h3", {}, swatch(k), share),
      make("p", {}, `${sizes[k]} rows; ${portrait.sentence}`),
      ...columns.map((j) => spread(report, overall, portrait, k, j)),
      ...more,
    );
  });
  const rest = portraits.length - found.length;
  if (rest) found.push(make("p", {}, `The other ${rest} components are among the numbers.`));
  return found;
}

// A name that may go on in the next line behind an underscore.
const breakable = (name) => name.split(/(?<=_)/).flatMap((part) => [part, make("wbr")]);

// One column: its name, a bar of one standard deviation about the mean, and both as numbers.
function spread(report, overall, { deviations }, k, j) {
  const mean = report.means[k][j];
  const deviation = deviations[j];
  const [low, high] = [overall.low[j], overall.high[j]];
  const place = (value) => 100 * Math.min(1, Math.max(0, high > low ? (value - low) / (high - low) : 0.5));
  const bar = make("i");
  bar.style.left = `${place(mean - deviation)}%`;
  bar.style.width = `${place(mean + deviation) - place(mean - deviation)}%`;
  bar.style.background = paint(k);
  const middle = make("b");
  middle.style.left = `calc(${place(mean)}% - 1px)`;
  return make(
    "div",
    { class: "spread" },
    make("span", {}, ...breakable(report.columns[j])),
    make("span", { class: "range", "aria-hidden": "true" }, bar, middle),
    make("span", {}, `${significant(mean, 4)} ± ${significant(deviation, 3)}`),
  );
}
