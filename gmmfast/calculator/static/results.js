// @ts-check
// The result: words, cards, tabs of pictures and tables, and exports.

import * as api from "./api.js";
import { cards, swatch } from "./cards.js";
import {
  drawCriteria,
  drawCurve,
  drawLine,
  drawPairs,
  drawPlane,
  drawProfile,
  drawUncertainty,
  svgOf,
} from "./charts.js";
import { $, fillList, make } from "./dom.js";
import { describe, icon } from "./models.js";
import { asText, correlations, counted, fillTable, rank, significant } from "./numbers.js";
import { asFile } from "./paste.js";
import { Tabs } from "./tabs.js";

const DOWNLOADS = [
  ["get-model", "model.npz"],
  ["get-json", "result.json"],
  ["get-rows", "rows.csv"],
  ["get-xlsx", "rows.xlsx"],
  ["get-data", "data.csv"],
];
const MOST_MATRICES = 60; // that a page shows
const MOST_PAIRED = 5; // columns of a matrix of pairs
const MOST_RANKED = 10; // candidates in the table

const drawnOf = (data) =>
  data.n_drawn < data.n_rows ? ` ${data.n_drawn} of ${data.n_rows} rows are drawn; all were used.` : "";

// Color a cell by a correlation.
function heat(cell, correlation) {
  const hue = correlation < 0 ? "--c7" : "--c0";
  cell.style.background = `color-mix(in srgb, var(${hue}) ${(45 * Math.abs(correlation)).toFixed(0)}%, transparent)`;
}

export class Results {
  constructor({ say }) {
    this.say = say;
    this.excelRows = 0; // that the server can write into a sheet
    this.result = null; // of the last fit; null if there is none for the data
    this.inputs = ""; // what it was calculated from
    this.asked = 0; // pictures
    this.tabs = new Tabs($("tabs"), (id) => this.draw(id));
    for (const id of ["x-axis", "y-axis", "density"]) {
      $(id).addEventListener("change", () => this.drawPicture());
    }
    $("correlations").addEventListener("change", () => this.showMatrices());
    $("copy-text").addEventListener("click", () => this.copy(this.result.text, "The results are copied."));
    $("copy-json").addEventListener("click", () => {
      this.copy(JSON.stringify(this.result.report, null, 2), "The JSON is copied.");
    });
    $("get-svg").addEventListener("click", () => this.downloadPicture());
    $("apply").addEventListener("click", () => this.apply());
    $("sure").addEventListener("click", () => this.showSureness());
    $("copy-applied").addEventListener("click", () => {
      this.copy(asText($("applied")), "The table is copied.", "applied-copied");
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(this.tabs.shown));
  }

  hide() {
    this.result = null;
    $("results").hidden = true;
  }

  /**
   * Say whether the result belongs to other inputs than the present ones: then nothing leaves the page.
   * @param {string} inputs
   */
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
    $("copied").textContent = "";
    this.clearApplied();
    this.clearSureness();
    this.showWords();
    this.showTables();
    this.showAxes();
    $("cards").replaceChildren(...cards(result));
    $("python").textContent = result.python;
    $("command").textContent = result.command;
    $("get-xlsx").hidden = result.report.n_rows > this.excelRows;
    $("results").hidden = false;
    this.tabs.offer("tab-choice", result.candidates !== null);
    this.tabs.offer("tab-pairs", result.report.columns.length > 2);
    this.tabs.offer("tab-uncertainty", result.report.n_components > 1);
    $("results-title").focus();
    await this.draw(this.tabs.shown);
  }

  showWords() {
    const { report, sentences, advice, seconds } = this.result;
    const steps = counted(report.n_iter, "iteration");
    $("results-title").textContent = sentences[0];
    $("sentences").textContent = sentences.slice(1).join(" ");
    fillList($("advice"), advice);
    const likelihood = `${significant(report.log_likelihood)} (${significant(report.log_likelihood_per_row, 4)} per row)`;
    const end = report.converged ? "converged" : "stopped";
    $("facts").textContent =
      `Model ${report.covariance_type} (${describe(report.covariance_type)}). Log-likelihood ${likelihood}, BIC ${significant(report.bic)}; ` +
      `${end} after ${steps}, ${significant(seconds, 2)} s.`;
  }

  showTables() {
    const { report, sizes, seconds } = this.result;
    const degrees = report.degrees_of_freedom; // of t components
    fillTable(
      $("components"),
      ["component", "weight", "rows", ...(degrees ? ["df"] : []), ...report.columns],
      report.weights.map((weight, k) => [
        swatch(k),
        weight,
        String(sizes[k]),
        ...(degrees ? [degrees[k]] : []),
        ...report.means[k],
      ]),
    );
    fillTable($("fit"), null, [
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
    ]);
    this.showMatrices();
  }

  showMatrices() {
    const { report, matrices } = this.result;
    const isTied = report.covariance_structure === "tied";
    const isTailed = report.degrees_of_freedom !== undefined;
    $("matrices-note").hidden = !isTailed;
    const shown = matrices.slice(0, isTied ? 1 : MOST_MATRICES);
    $("matrices").replaceChildren(
      ...shown.map((matrix, k) => {
        const related = correlations(matrix);
        const values = $("correlations").checked ? related : matrix;
        const table = make("table", { class: "numbers" });
        fillTable(
          table,
          ["column", ...report.columns],
          values.map((row, i) => [report.columns[i], ...row]),
        );
        related.forEach((row, i) =>
          row.forEach((value, j) => heat(table.tBodies[0].rows[i].cells[j + 1], value)),
        );
        const name = isTied ? "every component" : `component ${k}`;
        const scroll = {
          class: "scroll",
          role: "region",
          "aria-label": `${isTailed ? "Scale matrix" : "Covariance"} of ${name}`,
          tabIndex: 0,
        };
        return make(
          "figure",
          {},
          make("figcaption", {}, isTied ? name : swatch(k)),
          make("div", scroll, table),
        );
      }),
    );
  }

  showAxes() {
    const { columns } = this.result.report;
    $("axes").hidden = columns.length < 2;
    for (const [id, index] of /** @type {[string, number][]} */ ([
      ["x-axis", 0],
      ["y-axis", 1],
    ])) {
      $(id).replaceChildren(...columns.map((name) => new Option(name, name)));
      $(id).selectedIndex = Math.min(index, columns.length - 1);
    }
  }

  /**
   * Draw what a tab shows; a chart needs its place to be on the page.
   * @param {string} id
   */
  async draw(id) {
    if (!this.result) return;
    const { report, portraits, curve } = this.result;
    if (id === "tab-picture") await this.drawPicture();
    else if (id === "tab-pairs") await this.drawPairs();
    else if (id === "tab-uncertainty") await this.drawUncertainty();
    else if (id === "tab-curve") await drawCurve("curve", curve);
    else if (id === "tab-choice") await this.drawChoice();
    else if (id === "tab-profile")
      await drawProfile(
        "profile",
        portraits.map((one) => one.profile),
        report.columns,
      );
  }

  async drawChoice() {
    const { candidates, criterion } = this.result;
    const ranked = rank(candidates, criterion);
    await drawCriteria("criteria", ranked, criterion);
    const name = criterion.toUpperCase();
    const label = (model) => make("span", {}, icon(model), model);
    fillTable(
      $("ranking"),
      ["rank", "K", "model", name, "difference", "free parameters", "log-likelihood"],
      ranked
        .slice(0, MOST_RANKED)
        .map((one, i) => [
          String(i + 1),
          String(one.n_components),
          label(one.covariance_type),
          one[criterion],
          one[criterion] - ranked[0][criterion],
          String(one.n_parameters),
          one.log_likelihood,
        ]),
    );
    const rest = candidates.length - ranked.length;
    const lost = rest ? ` ${rest} cannot be compared: a component has collapsed, or there is no fit.` : "";
    $("ranking-note").textContent = `The best of ${counted(candidates.length, "candidate")}.${lost}`;
  }

  /** @param {() => Promise<any>} ask for numbers, of which nothing is drawn if others are wanted by then */
  async ask(ask) {
    const turn = (this.asked += 1);
    try {
      const data = await ask();
      return this.result && turn === this.asked ? data : null;
    } catch (error) {
      this.say(error.message);
      return null;
    }
  }

  async drawPairs() {
    const { columns } = this.result.report;
    const shown = columns.slice(0, MOST_PAIRED);
    const data = await this.ask(() => api.picture(shown, { kind: "pairs" }));
    if (!data) return;
    await drawPairs("pairs", data, shown);
    const some =
      shown.length < columns.length ? ` The first ${shown.length} of ${columns.length} columns.` : "";
    $("pairs-note").textContent =
      `Ellipses: 2 ${this.result.report.degrees_of_freedom ? "times the scale" : "sigma"}. Bars: all rows.${some}${drawnOf(data)}`;
  }

  async drawUncertainty() {
    const axes = this.axes();
    const data = await this.ask(() => api.picture(axes, { kind: "uncertainty" }));
    if (!data) return;
    await drawUncertainty("uncertainty", data, axes);
    const share = ((100 * data.n_uncertain) / data.n_rows).toFixed(1);
    $("uncertainty-note").textContent =
      `Uncertainty: the probability that a row comes from another component than the likeliest; large points are ` +
      `uncertain. ${counted(data.n_uncertain, "row")} (${share} %) ${data.n_uncertain === 1 ? "has" : "have"} more than ${data.limit}.${drawnOf(data)}`;
  }

  // The columns of the picture; one alone where there is no other.
  axes() {
    const { columns } = this.result.report;
    const chosen = [$("x-axis").value, $("y-axis").value];
    return columns.length < 2 || chosen[0] === chosen[1] ? [chosen[0]] : chosen;
  }

  async drawPicture() {
    const axes = this.axes();
    if (axes.length === 1 && this.result.report.columns.length > 1) {
      $("picture-note").textContent = "Choose two different columns.";
      return;
    }
    const data = await this.ask(() => api.picture(axes, { density: $("density").checked }));
    if (!data) return;
    await (axes.length === 1 ? drawLine("picture", data, axes[0]) : drawPlane("picture", data, axes));
    $("picture-note").textContent = this.note(data);
  }

  note(data) {
    if (!data.sigmas) return "Bars: the rows. Lines: the density of each component, and of all.";
    const others = this.result.report.columns.length > 2 ? " Seen along these two columns." : "";
    if (this.result.report.degrees_of_freedom)
      return `Ellipses: 1, 2 and 3 times the scale; point at one for the share of its component that it holds.${others}${drawnOf(data)}`;
    const shares = data.coverage.map((share) => `${(100 * share).toFixed(1)} %`).join(", ");
    return `Ellipses: 1, 2 and 3 sigma, which hold ${shares} of a component.${others}${drawnOf(data)}`;
  }

  async copy(text, done, place = "copied") {
    try {
      await navigator.clipboard.writeText(text);
      $(place).textContent = done;
    } catch {
      $(place).textContent = "The browser does not let this page copy.";
    }
  }

  async downloadPicture() {
    this.tabs.show("tab-picture");
    await this.drawPicture();
    const href = URL.createObjectURL(new Blob([await svgOf("picture")], { type: "image/svg+xml" }));
    make("a", { href, download: "mixture.svg" }).click();
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  }

  clearSureness() {
    $("sure-note").textContent = "";
    $("sureness").replaceChildren();
  }

  async showSureness() {
    const { result } = this;
    this.clearSureness();
    $("sure").disabled = true;
    $("sure-note").textContent = "Fitting 999 replicates ...";
    try {
      const found = await api.sureness();
      if (this.result !== result) return;
      fillTable($("sureness"), ["parameter", "estimate", "standard error", "95 % from", "to"], found.lines);
      const leftOut = found.n_collapsed ? `; ${found.n_collapsed} collapsed and are left out` : "";
      $("sure-note").textContent =
        `From ${found.n_resamples} fits to the rows with random weights${leftOut}. ` +
        "Other data from the same source would vary about as much.";
    } catch (error) {
      if (this.result === result) $("sure-note").textContent = error.message;
    } finally {
      $("sure").disabled = false;
    }
  }

  clearApplied() {
    for (const id of ["apply-note", "applied-copied"]) $(id).textContent = "";
    $("applied").replaceChildren();
    $("copy-applied").hidden = true;
  }

  async apply() {
    this.clearApplied();
    try {
      const found = await api.useModel(asFile($("new-rows").value), $("rate").value);
      if (!this.result) return;
      const K = this.result.report.n_components;
      fillTable(
        $("applied"),
        [
          "row",
          "component",
          ...Array.from({ length: K }, (_, k) => `probability ${k}`),
          ...(this.result.report.noise_weight === undefined ? [] : ["probability of noise"]),
          "log density",
          "outlier",
        ],
        found.label.map((label, i) => [
          String(i + 1),
          label < 0 ? "noise" : String(label),
          ...found.probabilities[i],
          found.log_density[i],
          found.outlier[i] ? "yes" : "no",
        ]),
      );
      const rest = found.label.length < found.n_rows ? `; the first ${found.label.length} are shown` : "";
      const outliers = `${counted(found.n_outliers, "outlier")} in ${counted(found.n_rows, "row")}`;
      const size = `${outliers}: log density below ${significant(found.cut)}${rest}.`;
      $("apply-note").textContent = [size, ...found.notes].join(" ");
      $("copy-applied").hidden = false;
    } catch (error) {
      $("apply-note").textContent = error.message;
    }
  }
}
