// Pictures, drawn by plotly.

// Okabe & Ito's colors, which color-blind people tell apart; symbols tell the rest.
export const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f"];
const SYMBOLS = ["circle", "square", "diamond", "cross", "triangle-up", "x", "star", "triangle-down"];
const percent = (share) => `${(100 * share).toFixed(1)} %`;

export const color = (k) => COLORS[k % COLORS.length];

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function layout(extra) {
  const axis = { gridcolor: style("--line"), zerolinecolor: style("--line"), automargin: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: style("--front"), family: "system-ui, sans-serif" },
    margin: { l: 55, r: 10, t: 10, b: 45 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: style("--soft"), activecolor: style("--accent") },
    legend: { orientation: "h", y: -0.22 },
    ...extra,
    xaxis: { ...axis, ...extra.xaxis },
    yaxis: { ...axis, ...extra.yaxis },
  };
}

// All buttons of a chart are listed here: what a later plotly adds, such as sharing, does not appear.
const CONFIG = {
  responsive: true,
  displaylogo: false,
  modeBarButtons: [["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "autoScale2d", "resetScale2d"]],
  showSendToCloud: false,
  plotlyServerURL: "",
};

async function draw(id, traces, extra) {
  await window.Plotly.react(id, traces, layout(extra), CONFIG);
  window.Plotly.Plots.resize(id); // what stands beside it may have come or gone
}

// Plotly reads some tags in names; a name is text.
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const title = (text) => ({ title: { text: plain(text) } });

export function drawPlane(id, data, [x, y]) {
  const traces = [];
  if (data.density) {
    traces.push({
      ...data.density, type: "contour", showscale: false, hoverinfo: "skip", ncontours: 14,
      colorscale: [[0, "rgba(128,128,128,0)"], [1, "rgba(128,128,128,0.75)"]], line: { width: 0.5 },
    });
  }
  data.points.forEach(([px, py], k) => {
    traces.push({
      x: px, y: py, name: `component ${k}`, legendgroup: `${k}`, mode: "markers", type: "scatter",
      marker: { color: color(k), symbol: SYMBOLS[k % SYMBOLS.length], size: px.length > 500 ? 4 : 7, opacity: 0.65 },
    });
  });
  data.ellipses.forEach((outlines, k) => outlines.forEach(([ex, ey], i) => {
    traces.push({
      x: ex, y: ey, mode: "lines", type: "scatter", legendgroup: `${k}`, showlegend: false,
      hoverinfo: "text", text: `component ${k}: ${data.sigmas[i]} sigma, ${percent(data.coverage[i])}`,
      line: { color: color(k), width: 2, dash: ["solid", "dash", "dot"][i] },
    });
  }));
  traces.push({
    x: data.means.map((mean) => mean[0]), y: data.means.map((mean) => mean[1]), name: "means", mode: "markers+text",
    type: "scatter", text: data.means.map((_, k) => String(k)), textposition: "top center",
    marker: { color: style("--front"), symbol: "cross-thin", size: 12, line: { width: 3, color: style("--front") } },
  });
  return draw(id, traces, { xaxis: title(x), yaxis: title(y), hovermode: "closest" });
}

export function drawLine(id, data, name) {
  const widths = data.edges.slice(1).map((edge, i) => edge - data.edges[i]);
  const traces = [{
    x: data.edges.slice(0, -1).map((edge, i) => edge + widths[i] / 2), y: data.heights, width: widths,
    type: "bar", name: "rows", marker: { color: "rgba(128,128,128,0.4)" },
  }];
  data.components.forEach((curve, k) => traces.push({
    x: data.x, y: curve, mode: "lines", name: `component ${k}`, line: { color: color(k), width: 2 },
  }));
  traces.push({ x: data.x, y: data.density, mode: "lines", name: "all", line: { color: style("--front"), dash: "dash", width: 2 } });
  return draw(id, traces, { xaxis: title(name), yaxis: title("density"), bargap: 0 });
}

export function drawCurve(id, bounds, first = 1) {
  const trace = {
    x: bounds.map((_, i) => first + i), y: bounds, mode: bounds.length > 60 ? "lines" : "lines+markers",
    line: { color: COLORS[0] }, name: "log-likelihood per row",
  };
  const whole = bounds.length < 12 ? { dtick: 1 } : {};
  return draw(id, [trace], { xaxis: { ...title("iteration"), ...whole }, yaxis: title("nats per row"), showlegend: false });
}

export function drawCriteria(id, candidates, criterion) {
  const models = [...new Set(candidates.map((one) => one.covariance_type))];
  const traces = models.map((model, i) => {
    const own = candidates.filter((one) => one.covariance_type === model && one[criterion] !== null && !one.degenerate);
    return {
      x: own.map((one) => one.n_components), y: own.map((one) => one[criterion]), name: model, mode: "lines+markers",
      line: { color: color(i) }, marker: { symbol: SYMBOLS[(i + Math.floor(i / 8)) % SYMBOLS.length], size: 7 },
    };
  });
  return draw(id, traces, {
    legend: { orientation: "v", x: 1.02, y: 1 },
    xaxis: { ...title("number of components K"), dtick: 1 }, yaxis: title(`${criterion.toUpperCase()} (lower is better)`),
  });
}

export async function svgOf(id) {
  const data = await window.Plotly.toImage(id, { format: "svg", width: 900, height: 700 });
  return decodeURIComponent(data.slice(data.indexOf(",") + 1));
}
