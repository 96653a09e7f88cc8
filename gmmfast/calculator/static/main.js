// The page: data in, settings, one fit at a time, results out.

import * as api from "./api.js";
import { drawCurve } from "./charts.js";
import { Form } from "./form.js";
import { Grid, SAMPLE } from "./grid.js";
import { Results } from "./results.js";

const $ = (id) => document.getElementById(id);
const POLL = 150; // milliseconds

const say = (text) => { $("message").textContent = text; };
const results = new Results({ say });
let form = null;
let reading = 0; // files that have been sent
let loaded = null; // what the server has read; null while rows are typed

const grid = new Grid($("grid"), {
  onChange: () => {
    loaded = null;
    form?.showColumns(grid.columns());
  },
  onFile: (file) => takeFile(file),
});

function showEditing() {
  for (const id of ["add-row", "add-column"]) $(id).disabled = !grid.isTyped;
}

function typed({ columns, rows }) {
  grid.edit(columns, rows);
  $("data-note").textContent = "";
  showEditing();
}

function take(summary) {
  loaded = summary;
  grid.preview(summary);
  form.showColumns(summary.columns);
  const shown = summary.rows.length < summary.n_rows ? `; the first ${summary.rows.length} are shown` : "";
  const left = summary.left_out.length ? ` Left out, because they are not numbers: ${summary.left_out.join(", ")}.` : "";
  const size = `${summary.source}: ${summary.n_rows} rows, ${summary.columns.length} columns${shown}.${left}`;
  $("data-note").textContent = [size, ...summary.notes].join(" ");
  showEditing();
}

async function trying(action) {
  say("");
  try {
    await action();
  } catch (error) {
    say(error.message);
  }
}

const takeFile = (file) => trying(async () => {
  $("data-note").textContent = `Reading ${file.name} …`;
  const turn = (reading += 1);
  try {
    const summary = await api.sendData(file.name, file);
    if (turn !== reading) return; // another file was chosen by now
    take(summary);
    results.hide();
  } catch (error) {
    $("data-note").textContent = "";
    throw error;
  }
});

const calculate = () => trying(async () => {
  const settings = form.settings();
  working(true);
  try {
    if (loaded === null) {
      const { name, body } = grid.asFile(settings.columns);
      await api.sendData(name, body, { typed: "yes" });
    }
    results.hide();
    await follow(await api.startFit(settings));
  } finally {
    working(false);
  }
});

function working(is) {
  $("calculate").disabled = is;
  $("cancel").disabled = !is;
  $("progress").hidden = !is;
  if (is) $("progress-text").textContent = "Waiting …";
}

async function follow(status) {
  while (status.state === "waiting" || status.state === "running") {
    await showProgress(status);
    await new Promise((resolve) => setTimeout(resolve, POLL));
    status = await patiently(api.fitStatus);
  }
  if (status.state === "failed") throw new Error(status.error);
  if (status.state === "canceled") throw new Error("Canceled.");
  await results.show(status.result);
}

// A question that may fail once or twice, as when the machine was asleep.
async function patiently(question, tries = 3) {
  try {
    return await question();
  } catch (error) {
    if (tries === 1) throw error;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return patiently(question, tries - 1);
  }
}

async function showProgress({ state, progress, seconds }) {
  const time = seconds > 1 ? `, ${seconds.toFixed(0)} s` : "";
  if (progress.candidates) {
    $("progress-text").textContent = `${progress.candidates} of ${progress.of} candidates, the last ${progress.last}${time}`;
  } else if (progress.iteration) {
    $("progress-text").textContent = `Iteration ${progress.iteration}${time}`;
    await drawCurve("progress-chart", progress.curve, progress.iteration - progress.curve.length + 1);
  } else {
    const first = seconds > 3 ? "; the first fit of a kind on a machine is compiled, once" : "";
    $("progress-text").textContent = state === "waiting" ? `Waiting for another fit${time} …` : `Starting${time}${first} …`;
  }
}

function listen() {
  addEventListener("pagehide", api.leave); // nobody waits for the fit any more
  $("calculate").addEventListener("click", calculate);
  $("cancel").addEventListener("click", () => trying(api.cancelFit));
  $("reset").addEventListener("click", () => { form.reset(); form.fillDimensions(); say(""); });
  $("add-row").addEventListener("click", () => grid.addRow());
  $("add-column").addEventListener("click", () => grid.addColumn());
  $("clear").addEventListener("click", () => { typed({ columns: ["x1", "x2"], rows: [["", ""], ["", ""], ["", ""]] }); results.hide(); });
  $("sample").addEventListener("click", () => { typed(SAMPLE); results.hide(); });
  $("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) takeFile(file);
  });
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => trying(async () => {
      take(await api.useExample(button.dataset.example));
      results.hide();
    }));
  }
  document.addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
  document.addEventListener("dragleave", () => $("drop").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) takeFile(file);
  });
}

await trying(async () => {
  form = new Form(await api.begin());
  typed(SAMPLE);
  listen();
  document.body.dataset.ready = "yes";
});
