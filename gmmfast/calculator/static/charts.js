// @ts-check
// Pictures, drawn by plotly.

import { $ } from "./dom.js";
import { rangeNear } from "./numbers.js";

// A component has one of 12 colors (in the style sheet, for each theme), and one of 12 symbols.
const COLORS = 12;
// plotly's name of a symbol, and its outline for the text of the page, in a box from -10 to 10
const SYMBOLS = [
  ["circle", "M-8,0a8,8 0 1,0 16,0a8,8 0 1,0 -16,0Z"],
  ["square", "M-7,-7H7V7H-7Z"],
  ["diamond", "M0,-10L10,0L0,10L-10,0Z"],
  ["triangle-up", "M0,-8L9,7H-9Z"],
  ["cross", "M-3,-9H3V-3H9V3H3V9H-3V3H-9V-3H-3Z"],
  ["x", "M-8,-5L-5,-8L0,-3L5,-8L8,-5L3,0L8,5L5,8L0,3L-5,8L-8,5L-3,0Z"],
  ["star", "M0,-10L2.4,-3.1H9.5L3.9,1.2L5.9,8.1L0,4L-5.9,8.1L-3.9,1.2L-9.5,-3.1H-2.4Z"],
  ["triangle-down", "M0,8L-9,-7H9Z"],
  ["pentagon", "M0,-9L8.6,-2.8L5.3,7.3H-5.3L-8.6,-2.8Z"],
  ["hourglass", "M-8,-8H8L-8,8H8Z"],
  ["bowtie", "M-8,-8V8L8,-8V8Z"],
  ["hexagon2", "M-9,0L-4.5,-7.8H4.5L9,0L4.5,7.8H-4.5Z"],
];
const PLOTLY = "/plotly.js"; // as a constant, for the type checker has no such file

/**
 * Load plotly, which is large, at its first use.
 * @returns {Promise<any>}
 */
export async function plotly() {
  await import(PLOTLY);
  return /** @type {any} */ (window).Plotly;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The color of a component for the style of an element. */
export const paint = (k) => `var(--c${k % COLORS})`;

/** @param {number} k */
export const color = (k) => style(`--c${k % COLORS}`);

// After 12 components the colors come again, with other symbols.
const symbol = (k) => SYMBOLS[(k + Math.floor(k / COLORS)) % SYMBOLS.length];

/** The symbol of a component, for text. */
export function marker(k) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "-10 -10 20 20");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", symbol(k)[1]);
  path.style.fill = paint(k);
  svg.append(path);
  return svg;
}

const MARGIN = { l: 50, r: 10, t: 10, b: 40 }; // pixels

function layout(extra) {
  const axis = { gridcolor: style("--line"), zerolinecolor: style("--line"), automargin: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: style("--front"), family: "system-ui, sans-serif" },
    margin: MARGIN,
    modebar: { bgcolor: "rgba(0,0,0,0)", color: style("--soft"), activecolor: style("--accent") },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", itemsizing: "constant" },
    ...extra,
    xaxis: { ...axis, ...extra.xaxis },
    yaxis: { ...axis, ...extra.yaxis },
  };
}

// All buttons of a chart are listed here: what a later plotly adds, such as sharing, does not appear.
const CONFIG = {
  responsive: true,
  displaylogo: false,
  modeBarButtons: [
    ["zoom2d", "pan2d"],
    ["zoomIn2d", "zoomOut2d", "autoScale2d", "resetScale2d"],
  ],
  showSendToCloud: false,
  plotlyServerURL: "",
};

async function draw(id, traces, extra) {
  const { react, Plots } = await plotly();
  if (!$(id).checkVisibility()) return; // another tab is shown by now
  await react(id, traces, layout(extra), CONFIG);
  Plots.resize(id); // what stands beside it may have come or gone
}

// Plotly reads some tags in names; a name is text.
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const title = (text) => ({ title: { text: plain(text) } });

/**
 * @param {string} id
 * @param {any} data
 * @param {string[]} axes two columns
 */
export function drawPlane(id, data, axes) {
  const [x, y] = axes;
  const traces = [];
  if (data.density) {
    traces.push({
      ...data.density,
      type: "contour",
      showscale: false,
      hoverinfo: "skip",
      ncontours: 14,
      colorscale: [
        [0, "rgba(128,128,128,0)"],
        [1, "rgba(128,128,128,0.75)"],
      ],
      line: { width: 0.5 },
    });
  }
  traces.push(...rowsOf(data));
  const unit = Array.isArray(data.coverage[0]) ? "times the scale" : "sigma"; // of t components
  data.ellipses.forEach((outlines, k) =>
    outlines.forEach(([ex, ey], i) => {
      traces.push({
        x: ex,
        y: ey,
        mode: "lines",
        type: "scatter",
        legendgroup: `${k}`,
        showlegend: false,
        hoverinfo: "text",
        text: `component ${k}: ${data.sigmas[i]} ${unit}, ${percent(data.coverage[k]?.[i] ?? data.coverage[i])}`,
        line: { color: color(k), width: 2, dash: ["solid", "dash", "dot"][i] },
      });
    }),
  );
  traces.push({
    x: data.means.map((mean) => mean[0]),
    y: data.means.map((mean) => mean[1]),
    name: "means",
    mode: "markers+text",
    type: "scatter",
    text: data.means.map((_, k) => String(k)),
    textposition: "middle center",
    showlegend: false,
    textfont: { color: style("--front"), size: 12, weight: 600 },
    marker: {
      color: style("--card"),
      symbol: "circle",
      size: 21,
      line: { width: 1.5, color: style("--front") },
    },
  });
  return draw(id, traces, { xaxis: title(x), yaxis: title(y), hovermode: "closest" });
}

// The rows of each component, as points; then the rows of noise, in gray.
function rowsOf({ points, n_components: n }, extra = {}) {
  return points.map(([x, y], k) => ({
    x,
    y,
    name: k < n ? `component ${k}` : "noise",
    legendgroup: `${k}`,
    mode: "markers",
    type: "scatter",
    marker: {
      color: k < n ? color(k) : style("--soft"),
      symbol: k < n ? symbol(k)[0] : "x-thin-open",
      size: x.length > 500 ? 4 : 7,
      opacity: 0.65,
    },
    ...extra,
  }));
}

/** The lower triangle of all pairs of columns, with histograms on the diagonal. */
export function drawPairs(id, data, columns) {
  const d = columns.length;
  const axis = {
    gridcolor: style("--line"),
    zerolinecolor: style("--line"),
    tickfont: { size: 10 },
    nticks: 4,
  };
  const place = (i) => [i / d + 0.02, (i + 1) / d - 0.01];
  const axes = {};
  const traces = [];
  const cell = (i, j, own) => {
    const n = i + j === 0 ? "" : i * d + j + 1; // plotly numbers the axes from the second on
    const last = j === d - 1;
    axes[`xaxis${n}`] = {
      ...axis,
      domain: place(i),
      anchor: `y${n}`,
      showticklabels: last,
      ...(last && title(columns[i])),
    };
    axes[`yaxis${n}`] = {
      ...axis,
      domain: place(d - 1 - j),
      anchor: `x${n}`,
      showticklabels: i === 0 && j > 0,
      ...(i === 0 && title(columns[j])),
    };
    for (const trace of own) traces.push({ showlegend: false, ...trace, xaxis: `x${n}`, yaxis: `y${n}` });
  };
  columns.forEach((_, i) => cell(i, i, [bars(data.histograms[i])]));
  for (const { x, y, ellipses } of data.pairs) {
    const points = data.points.map((columns) => [columns[x], columns[y]]);
    const own = rowsOf({ ...data, points }, { hoverinfo: "skip" });
    own.forEach((trace) => Object.assign(trace, { showlegend: x === 0 && y === 1 }));
    own.push(
      ...ellipses.map(([ex, ey], k) => ({
        x: ex,
        y: ey,
        mode: "lines",
        type: "scatter",
        hoverinfo: "skip",
        legendgroup: `${k}`,
        line: { color: color(k), width: 2 },
      })),
    );
    cell(x, y, own);
  }
  return draw(id, traces, { ...axes, legend: { x: 1, xanchor: "right", y: 0.92 } });
}

/** The means of the components, in standard deviations of all rows from their mean. */
export function drawProfile(id, profiles, columns) {
  const traces = profiles.map((profile, k) => ({
    x: columns.map(plain),
    y: profile,
    name: `component ${k}`,
    mode: "lines+markers",
    line: { color: color(k), width: 2 },
    marker: { symbol: symbol(k)[0], size: 9 },
  }));
  return draw(id, traces, {
    xaxis: { type: "category" },
    yaxis: { ...title("standard deviations"), zeroline: true, zerolinecolor: style("--soft") },
  });
}

/** Rows, the larger the less certain their component is. */
export function drawUncertainty(id, data, axes) {
  const isLine = axes.length === 1;
  const points = data.points.map((own, k) => (isLine ? [own[0], data.uncertainty[k]] : own));
  const traces = rowsOf({ ...data, points });
  traces.forEach((trace, k) => {
    const doubt = data.uncertainty[k];
    trace.text = doubt.map((value) => `uncertainty ${value.toFixed(3)}`);
    trace.hoverinfo = "text";
    trace.marker.line = { width: 0.5, color: style("--card") };
    trace.marker.size = isLine ? 7 : doubt.map((value) => 5 + 26 * value);
  });
  const [x, y] = isLine ? [axes[0], "uncertainty"] : axes;
  return draw(id, traces, { xaxis: title(x), yaxis: title(y), hovermode: "closest" });
}

function bars({ edges, heights }) {
  const widths = edges.slice(1).map((edge, i) => edge - edges[i]);
  return {
    x: edges.slice(0, -1).map((edge, i) => edge + widths[i] / 2),
    y: heights,
    width: widths,
    type: "bar",
    name: "rows",
    marker: { color: "rgba(128,128,128,0.4)" },
  };
}

export function drawLine(id, data, name) {
  /** @type {any[]} */
  const traces = [bars(data)];
  data.components.forEach((curve, k) =>
    traces.push({
      x: data.x,
      y: curve,
      mode: "lines",
      name: `component ${k}`,
      line: { color: color(k), width: 2 },
    }),
  );
  traces.push({
    x: data.x,
    y: data.density,
    mode: "lines",
    name: "all",
    line: { color: style("--front"), dash: "dash", width: 2 },
  });
  return draw(id, traces, { xaxis: title(name), yaxis: title("density"), bargap: 0 });
}

export function drawCurve(id, bounds, first = 1) {
  const trace = {
    x: bounds.map((_, i) => first + i),
    y: bounds,
    mode: bounds.length > 60 ? "lines" : "lines+markers",
    line: { color: style("--accent") },
    name: "log-likelihood per row",
  };
  const whole = bounds.length < 12 ? { dtick: 1 } : {};
  return draw(id, [trace], {
    xaxis: { ...title("iteration"), ...whole },
    yaxis: title("nats per row"),
    showlegend: false,
  });
}

/**
 * The criterion by K, one line per model, near the best candidate; that one has a star.
 * @param {{ n_components: number, covariance_type: string }[]} ranked the best first
 */
export function drawCriteria(id, ranked, criterion) {
  const models = [...new Set(ranked.map((one) => one.covariance_type))].sort();
  /** @type {any[]} */
  const traces = models.map((model, i) => {
    const own = ranked.filter((one) => one.covariance_type === model);
    own.sort((one, other) => one.n_components - other.n_components);
    return {
      x: own.map((one) => one.n_components),
      y: own.map((one) => one[criterion]),
      name: model,
      mode: "lines+markers",
      line: { color: color(i) },
      marker: { symbol: symbol(i)[0], size: 7 },
    };
  });
  const [best] = ranked;
  traces.push({
    x: [best.n_components],
    y: [best[criterion]],
    name: "chosen",
    mode: "markers",
    marker: { symbol: "star-open", size: 20, color: style("--front"), line: { width: 2 } },
  });
  return draw(id, traces, {
    margin: { ...MARGIN, t: 34 }, // the toolbar is above the legend
    legend: { orientation: "v", x: 1.02, y: 1 },
    xaxis: { ...title("number of components K"), dtick: 1 },
    yaxis: {
      ...title(`${criterion.toUpperCase()} (lower is better)`),
      range: rangeNear(ranked.map((one) => one[criterion])),
    },
  });
}

export async function svgOf(id) {
  const { toImage } = await plotly();
  const data = await toImage(id, { format: "svg", width: 900, height: 700 });
  return decodeURIComponent(data.slice(data.indexOf(",") + 1));
}
