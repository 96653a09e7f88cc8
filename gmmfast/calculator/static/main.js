// @ts-check
// The page: data in, settings, one fit at a time, results out.

import * as api from "./api.js";
import { drawCurve, plotly } from "./charts.js";
import { Data } from "./data.js";
import { $ } from "./dom.js";
import { FieldError, Form } from "./form.js";
import { SAMPLE } from "./grid.js";
import { copyCells, showCuts } from "./numbers.js";
import { Results } from "./results.js";

const POLL = 150; // milliseconds

const results = new Results({ say });
let form = null;
let data = null;
let isWorking = false;

function say(text) {
  $("message").textContent = text;
}

/** What a result belongs to: it is outdated as soon as this has changed. */
const inputs = () => JSON.stringify([data.key, form.key]);

function compare() {
  if (!(form && data)) return;
  results.setOutdated(inputs());
  arrange();
}

async function calculate() {
  if (isWorking) return;
  say("");
  work(true);
  try {
    if (await data.ready()) await fit();
    else data.showError();
  } catch (error) {
    if (error.isAboutData) data.showError(error.message);
    else if (!(error instanceof FieldError)) say(error.message);
  } finally {
    work(false);
  }
}

async function fit() {
  const settings = form.settings();
  const asked = inputs();
  results.hide();
  plotly().catch(() => {}); // is loaded during the fit; what draws with it reports a failure
  const { version } = data;
  const status = await api.inTurn(async () => {
    await data.send(settings.columns);
    return api.startFit(settings);
  });
  const result = await follow(status);
  if (data.version !== version) throw new Error("Canceled.");
  await results.show(result, asked);
  compare(); // what has been changed meanwhile is not in it
}

// The first card is there as long as there is nothing to show.
function arrange() {
  $("welcome").hidden = isWorking || results.result !== null;
  $("ready").hidden = !data?.grid.isSample;
}

function work(is) {
  isWorking = is;
  arrange();
  $("calculate").disabled = is;
  $("progress").hidden = !is;
  $("progress-chart").hidden = true;
  if (is) {
    $("progress-text").textContent = data.reading
      ? `Waiting until ${data.name} has been read …`
      : "Waiting …";
    $("progress").scrollIntoView({ block: "nearest" });
  }
}

async function follow(status) {
  while (status.state === "waiting" || status.state === "running") {
    await showProgress(status);
    await new Promise((resolve) => setTimeout(resolve, POLL));
    status = await patiently(api.fitStatus);
  }
  if (status.state === "failed")
    throw new Error(data.source ? `${data.source}: ${status.error}` : status.error);
  if (status.state !== "done") throw new Error("Canceled.");
  return status.result;
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
    $("progress-text").textContent =
      `${progress.candidates} of ${progress.of} candidates, the last ${progress.last}${time}`;
  } else if (progress.iteration) {
    $("progress-text").textContent = `Iteration ${progress.iteration}${time}`;
    $("progress-chart").hidden = false;
    await drawCurve("progress-chart", progress.curve, progress.iteration - progress.curve.length + 1);
  } else {
    const start = progress.compiling ? "First use: compiling, about 20 seconds" : "Starting";
    const what = state === "waiting" ? "Waiting for another fit" : start;
    $("progress-text").textContent = `${what}${time} …`;
  }
}

function listen() {
  addEventListener("pagehide", api.leave); // nobody waits for the fit any more
  $("inputs").addEventListener("submit", (event) => {
    event.preventDefault();
    calculate();
  });
  $("cancel").addEventListener("click", () => api.cancelFit().catch((error) => say(error.message)));
  $("again").addEventListener("click", calculate);
  $("reset").addEventListener("click", () => {
    form.reset();
    say("");
  });
}

try {
  const options = await api.begin();
  results.excelRows = options.excel_rows;
  form = new Form(options, { onChange: compare });
  data = new Data({
    onChange: compare,
    onColumns: (names) => form.showColumns(names),
    onTable: () => results.hide(), // the server has no result for another table
    onAgain: calculate,
  });
  data.type(SAMPLE);
  listen();
  showCuts();
  document.addEventListener("copy", copyCells);
  document.body.dataset.ready = "yes";
} catch (error) {
  say(error.message);
}
