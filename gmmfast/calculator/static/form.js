// @ts-check
// The settings: defaults, what each may be, and errors beside the field at fault.

import { $, make } from "./dom.js";
import { modelField } from "./models.js";
import { counted } from "./numbers.js";

const WHOLE = { "max-iter": "max_iter", "n-init": "n_init", seed: "random_state" };
const REAL = { tol: "tol", "reg-covar": "reg_covar", trim: "trim" };
const NUMBERS = Object.entries({ ...WHOLE, ...REAL });
const OF_ONE_FIT = ["n-init", "trim"]; // not where several are compared

/** What is wrong with a field; it has been shown there. */
export class FieldError extends Error {}

export class Form {
  constructor(options, { onChange }) {
    const { defaults, choice, outlier_rate: rate, covariance_types: types, one_column: oneColumn } = options;
    const isCode = (name) => name === name.toUpperCase();
    this.defaults = defaults;
    this.choice = choice;
    this.oneColumn = oneColumn;
    this.onChange = onChange;
    this.form = $("inputs");
    $("common-models").append(...types.filter((name) => !isCode(name)).map((name) => modelField(name)));
    $("common-models").append(modelField("all"));
    $("coded-models").append(...types.filter(isCode).map((name) => modelField(name)));
    for (const radio of document.querySelectorAll('input[name="mode"]')) {
      radio.addEventListener("change", () => this.showMode());
    }
    $("settings").addEventListener("input", (event) => this.edited(event.target));
    $("rate").value = rate;
    this.reset();
  }

  get mode() {
    return this.form.elements.mode.value;
  }

  /** A value that changes whenever a setting does. */
  get key() {
    const fields = [...$("settings").querySelectorAll("input, select")];
    const values = fields.map((one) =>
      one.matches(":is([type=radio], [type=checkbox])") ? one.checked : one.value,
    );
    return JSON.stringify([this.chosenColumns(), values]);
  }

  edited(field) {
    showError(field, "");
    this.summarize();
    this.onChange();
  }

  // What is folded away stays in sight.
  summarize() {
    const restarts = this.mode === "fixed" ? `restarts ${$("n-init").value}, ` : "";
    const isTrimmed = this.mode === "fixed" && $("trim").valueAsNumber > 0;
    const trimmed = isTrimmed ? `, share left out ${$("trim").value}` : "";
    const standardized = $("standardize").checked ? ", standardized" : "";
    const prior = $("prior").checked ? ", prior" : "";
    const noise = $("noise").checked ? ", noise" : "";
    const tails = $("component").value === "t" ? ", t components" : "";
    const options = standardized + trimmed + prior + noise + tails;
    $("more-summary").textContent =
      `iterations ${$("max-iter").value}, tolerance ${$("tol").value}, ${restarts}seed ${$("seed").value}${options}`;
  }

  showMode() {
    const { mode } = this;
    for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-mode]"))) {
      element.hidden = element.dataset.mode !== mode;
    }
    const { covariance } = this.form.elements;
    labelOf("all").hidden = mode !== "choose";
    if (mode === "choose") covariance.value = "all";
    else if (covariance.value === "all") covariance.value = this.defaults.covariance_type;
    this.summarize();
  }

  reset() {
    this.form.elements.mode.value = "fixed";
    this.showMode();
    const { defaults } = this;
    $("k").value = defaults.n_components;
    [$("k-from").value, $("k-to").value] = [this.choice.from, this.choice.to];
    $("criterion").value = defaults.criterion;
    this.form.elements.covariance.value = defaults.covariance_type;
    $("standardize").checked = defaults.standardize;
    $("prior").checked = defaults.prior;
    $("noise").checked = defaults.noise;
    $("component").value = defaults.component;
    for (const [id, name] of NUMBERS) $(id).value = defaults[name];
    for (const input of $("settings").querySelectorAll("input")) showError(input, "");
    this.summarize();
    this.fillDimensions();
    this.onChange();
  }

  // Columns that can be chosen; names that are still there keep their tick.
  showColumns(names) {
    const off = new Set([...$("columns").querySelectorAll("input:not(:checked)")].map((one) => one.value));
    const legend = $("columns").querySelector("legend");
    const choices = names.map((name) => {
      const box = make("input", { type: "checkbox", value: name, checked: !off.has(name) });
      box.addEventListener("change", () => {
        this.fillDimensions();
        this.onChange();
      });
      return make("label", { class: "choice" }, box, name);
    });
    $("columns").replaceChildren(legend, ...choices);
    this.fillDimensions();
  }

  chosenColumns() {
    return [...$("columns").querySelectorAll("input:checked")].map((box) => box.value);
  }

  fillDimensions() {
    $("d").value = this.chosenColumns().length;
    showError($("d"), "");
    this.showModels();
  }

  // E and V are for one column. With more, the choice moves to the code of the same model.
  showModels() {
    const isOne = this.chosenColumns().length === 1;
    const { covariance } = this.form.elements;
    for (const [code, same] of Object.entries(this.oneColumn)) {
      labelOf(code).hidden = !isOne;
      if (!isOne && covariance.value === code) covariance.value = same;
    }
    labelOf("all").lastChild.textContent = isOne ? "E and V" : "all 14";
  }

  number(id) {
    const input = $(id);
    const text = messageOf(input);
    if (text) this.fail(input, text);
    return input.valueAsNumber;
  }

  /** Show what is wrong beside a field, go there, and throw. */
  fail(input, text) {
    showError(input, text);
    const folded = input.closest("details");
    if (folded) folded.open = true;
    input.focus();
    throw new FieldError(text);
  }

  /**
   * The settings as the server takes them.
   * @throws {FieldError}
   */
  settings() {
    if (!this.chosenColumns().length) throw new Error("Tick at least one column.");
    const settings = {
      columns: this.chosenColumns(),
      n_dimensions: this.number("d"),
      covariance_type: this.form.elements.covariance.value,
      standardize: $("standardize").checked,
      prior: $("prior").checked,
      noise: $("noise").checked,
      component: $("component").value,
    };
    if (this.mode === "fixed") {
      settings.n_components = this.number("k");
    } else {
      const from = this.number("k-from");
      const to = this.number("k-to");
      if (to < from) this.fail($("k-to"), "The range of K must begin with the smaller number.");
      settings.n_components = Array.from({ length: to - from + 1 }, (_, i) => from + i);
      settings.criterion = $("criterion").value;
    }
    for (const [id, name] of NUMBERS) {
      if (!(OF_ONE_FIT.includes(id) && this.mode === "choose")) settings[name] = this.number(id);
    }
    const chosen = settings.columns.length;
    if (settings.n_dimensions !== chosen) {
      this.fail(
        $("d"),
        `D is ${settings.n_dimensions}, but ${counted(chosen, "column")} ${chosen === 1 ? "is" : "are"} chosen. Set D to ${chosen}, or choose other columns.`,
      );
    }
    return settings;
  }
}

/**
 * The label round the field of a model.
 * @param {string} model
 */
function labelOf(model) {
  return $("models").querySelector(`input[value="${model}"]`).closest("label");
}

/** What is wrong with the number in a field; empty if nothing is. */
function messageOf(input) {
  const { validity, min, max, step } = input;
  if (validity.valid && input.value !== "") return "";
  const name = document.querySelector(`label[for="${input.id}"]`).textContent;
  if (input.value === "") return `${name}: please enter a number.`;
  const range = max ? `from ${min} to ${max}` : `of at least ${min}`;
  return `${name} must be a ${step === "1" ? "whole number" : "number"} ${range}; got ${input.value}.`;
}

/** Show an error below a field, or remove it. */
function showError(input, text) {
  const id = `${input.id}-error`;
  $(id)?.remove();
  input.removeAttribute("aria-invalid");
  input.removeAttribute("aria-describedby");
  if (!text) return;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", id);
  input.after(make("span", { id, class: "error", role: "alert" }, text));
}
