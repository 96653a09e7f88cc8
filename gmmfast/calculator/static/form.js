// The settings and their defaults.

const $ = (id) => document.getElementById(id);

const WHOLE = { "max-iter": "max_iter", "n-init": "n_init", seed: "random_state" };
const REAL = { tol: "tol", "reg-covar": "reg_covar" };

export class Form {
  constructor({ defaults, covariance_types: types }) {
    this.defaults = defaults;
    const select = $("covariance");
    for (const name of types) select.append(new Option(name, name));
    for (const radio of document.querySelectorAll('input[name="mode"]')) {
      radio.addEventListener("change", () => this.showMode());
    }
    this.reset();
  }

  get mode() {
    return document.querySelector('input[name="mode"]:checked').value;
  }

  showMode() {
    const { mode } = this;
    for (const element of document.querySelectorAll("[data-mode]")) {
      element.hidden = element.dataset.mode !== mode;
    }
    const select = $("covariance");
    const all = select.querySelector('option[value="all"]');
    if (mode === "choose" && !all) select.append(new Option("all 14 models: choose for me", "all"));
    if (mode === "fixed" && all) all.remove();
  }

  reset() {
    document.querySelector('input[name="mode"][value="fixed"]').checked = true;
    this.showMode();
    $("k").value = this.defaults.n_components;
    $("k-from").value = 1;
    $("k-to").value = 6;
    $("criterion").value = this.defaults.criterion;
    $("covariance").value = this.defaults.covariance_type;
    $("standardize").checked = this.defaults.standardize;
    for (const [id, name] of Object.entries({ ...WHOLE, ...REAL })) $(id).value = this.defaults[name];
  }

  // Columns that can be chosen; names that are still there keep their tick.
  showColumns(names) {
    const off = new Set([...$("columns").querySelectorAll("input:not(:checked)")].map((one) => one.value));
    const legend = $("columns").querySelector("legend");
    const choices = names.map((name) => {
      const label = document.createElement("label");
      label.className = "choice";
      const box = document.createElement("input");
      box.type = "checkbox";
      box.value = name;
      box.checked = !off.has(name);
      box.addEventListener("change", () => this.fillDimensions());
      label.append(box, name);
      return label;
    });
    $("columns").replaceChildren(legend, ...choices);
    this.fillDimensions();
  }

  chosenColumns() {
    return [...$("columns").querySelectorAll("input:checked")].map((box) => box.value);
  }

  fillDimensions() {
    $("d").value = this.chosenColumns().length;
  }

  number(id) {
    const input = $(id);
    const label = document.querySelector(`label[for="${id}"]`).textContent;
    if (input.value.trim() === "" || !Number.isFinite(input.valueAsNumber)) {
      input.focus();
      throw new Error(`${label}: please enter a number.`);
    }
    return input.valueAsNumber;
  }

  settings() {
    const settings = {
      columns: this.chosenColumns(),
      n_dimensions: this.number("d"),
      covariance_type: $("covariance").value,
      standardize: $("standardize").checked,
    };
    if (this.mode === "fixed") {
      settings.n_components = this.number("k");
    } else {
      const from = this.number("k-from");
      const to = this.number("k-to");
      if (to < from) throw new Error("The range of K must begin with the smaller number.");
      if (to > 200) throw new Error("The range of K must end at 200 or before.");
      settings.n_components = Array.from({ length: to - from + 1 }, (_, i) => from + i);
      settings.criterion = $("criterion").value;
    }
    for (const [id, name] of Object.entries({ ...WHOLE, ...REAL })) {
      if (!(id === "n-init" && this.mode === "choose")) settings[name] = this.number(id);
    }
    return settings;
  }
}
