// @ts-check
// The result: words, tables, pictures, and exports.

import * as api from "./api.js";
import { color, drawCriteria, drawCurve, drawLine, drawPlane, svgOf } from "./charts.js";
import { $, fillList } from "./dom.js";
import { fillTable, significant } from "./numbers.js";

const DOWNLOADS = [["get-model", "model.npz"], ["get-json", "result.json"], ["get-labels", "labels.csv"], ["get-data", "data.csv"]];
const MOST_MATRICES = 60; // that a page shows

function swatch(k) {
  const label = document.createElement("span");
  const dot = document.createElement("span");
  dot.className = "swatch";
  dot.style.background = color(k);
  label.append(dot, `component ${k}`);
  return label;
}

export class Results {
  constructor({ say }) {
    this.say = say;
    this.result = null;
    for (const id of ["x-axis", "y-axis", "density"]) $(id).addEventListener("change", () => this.draw());
    $("copy-text").addEventListener("click", () => this.copy(this.result.text, "The results are copied."));
    $("copy-json").addEventListener("click", () => this.copy(JSON.stringify(this.result.report, null, 2), "The JSON is copied."));
    $("get-svg").addEventListener("click", () => this.downloadPicture());
    $("apply").addEventListener("click", () => this.apply());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.result && this.drawAll());
  }

  hide() {
    $("results").hidden = true;
    this.result = null;
  }

  /** Say whether the result belongs to other inputs than the present ones: then nothing leaves the page. */
  setOutdated(inputs) {
    const is = this.result !== null && inputs !== this.inputs;
    $("outdated").hidden = !is;
    $("result-body").classList.toggle("outdated", is);
    for (const button of $("exports").querySelectorAll("button")) button.disabled = is;
    for (const [id, name] of DOWNLOADS) {
      if (is) $(id).removeAttribute("href");
      else $(id).href = api.downloadAddress(name);
      $(id).setAttribute("aria-disabled", String(is));
    }
  }

  /**
   * @param {any} result
   * @param {string} inputs what it was calculated from
   */
  async show(result, inputs) {
    this.result = result;
    this.inputs = inputs;
    this.setOutdated(inputs);
    $("results").hidden = false;
    for (const id of ["copied", "apply-note"]) $(id).textContent = "";
    $("applied").replaceChildren();
    fillList($("sentences"), result.sentences);
    fillList($("advice"), result.advice);
    this.showTables();
    this.showAxes();
    $("python").textContent = result.python;
    $("command").textContent = result.command;
    $("choice").hidden = result.candidates === null;
    $("results-title").focus();
    await this.drawAll();
  }

  showTables() {
    const { report, sizes, matrices, seconds } = this.result;
    fillTable(
      $("components"), ["component", "weight", "rows", ...report.columns],
      report.weights.map((weight, k) => [swatch(k), weight, String(sizes[k]), ...report.means[k]]),
    );
    const rows = [
      ["log-likelihood", report.log_likelihood],
      ["log-likelihood per row", report.log_likelihood_per_row],
      ["BIC (lower is better)", report.bic],
      ["AIC (lower is better)", report.aic],
      ["components K, dimensions D", `${report.n_components}, ${report.columns.length}`],
      ["covariance model", report.covariance_type],
      ["iterations", String(report.n_iter)],
      ["converged", report.converged ? "yes" : "no"],
      ["stopped", report.stop_reason],
      ["time", `${significant(seconds, 3)} s`],
    ];
    fillTable($("fit"), null, rows);
    const shown = report.covariance_structure === "tied" ? matrices.slice(0, 1) : matrices.slice(0, MOST_MATRICES);
    $("matrices").replaceChildren(...shown.map((matrix, k) => {
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.append(report.covariance_structure === "tied" ? "every component" : swatch(k));
      const table = document.createElement("table");
      table.className = "numbers";
      fillTable(table, ["", ...report.columns], matrix.map((row, j) => [report.columns[j], ...row]));
      figure.append(caption, table);
      return figure;
    }));
  }

  showAxes() {
    const { columns } = this.result.report;
    $("axes").hidden = columns.length < 2;
    for (const [id, index] of [["x-axis", 0], ["y-axis", Math.min(1, columns.length - 1)]]) {
      $(id).replaceChildren(...columns.map((name) => new Option(name, name)));
      $(id).selectedIndex = index;
    }
  }

  async drawAll() {
    const { curve, candidates, criterion } = this.result;
    await this.draw();
    await drawCurve("curve", curve);
    if (candidates) await drawCriteria("criteria", candidates, criterion);
  }

  async draw() {
    const { columns } = this.result.report;
    const axes = columns.length < 2 ? [columns[0]] : [$("x-axis").value, $("y-axis").value];
    if (axes[0] === axes[1]) {
      $("picture-note").textContent = "Choose two different columns.";
      return;
    }
    const turn = (this.turn = (this.turn ?? 0) + 1);
    try {
      const data = await api.picture(axes, $("density").checked);
      if (!this.result || turn !== this.turn) return; // someone wants another picture by now
      await (axes.length === 1 ? drawLine("picture", data, axes[0]) : drawPlane("picture", data, axes));
      $("picture-note").textContent = this.note(data);
    } catch (error) {
      this.say(error.message);
    }
  }

  note(data) {
    if (!data.sigmas) return "Bars: the rows. Lines: the density of each component, and of all.";
    const shares = data.coverage.map((share) => `${(100 * share).toFixed(1)} %`).join(", ");
    const drawn = data.n_drawn < data.n_rows ? ` ${data.n_drawn} of ${data.n_rows} rows are drawn; all were used.` : "";
    const others = this.result.report.columns.length > 2 ? " Seen along these two columns." : "";
    return `Ellipses: 1, 2 and 3 sigma, which hold ${shares} of a component.${others}${drawn}`;
  }

  async copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
      $("copied").textContent = done;
    } catch {
      $("copied").textContent = "The browser does not let this page copy.";
    }
  }

  async downloadPicture() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([await svgOf("picture")], { type: "image/svg+xml" }));
    link.download = "mixture.svg";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  async apply() {
    $("apply-note").textContent = "";
    try {
      const found = await api.useModel(`${$("new-rows").value.trim()}\n`, $("rate").value);
      if (!this.result) return;
      const K = this.result.report.n_components;
      fillTable(
        $("applied"),
        ["row", "component", ...Array.from({ length: K }, (_, k) => `probability ${k}`), "log density", "outlier"],
        found.label.map((label, i) => [
          String(i + 1), String(label), ...found.probabilities[i], found.log_density[i], found.outlier[i] ? "yes" : "no",
        ]),
      );
      const rest = found.label.length < found.n_rows ? `; the first ${found.label.length} are shown` : "";
      $("apply-note").textContent = `${found.n_outliers} of ${found.n_rows} rows are outliers: their log density is below ${significant(found.cut)}${rest}.`;
    } catch (error) {
      $("applied").replaceChildren();
      $("apply-note").textContent = error.message;
    }
  }
}
