// @ts-check
// The data: rows that are typed or pasted, or a table that the server has read.

import * as api from "./api.js";
import { $ } from "./dom.js";
import { Grid, PASTED, SAMPLE } from "./grid.js";
import { counted } from "./numbers.js";

const EMPTY = {
  columns: ["x1", "x2"],
  rows: [
    ["", ""],
    ["", ""],
    ["", ""],
  ],
};

export class Data {
  /**
   * @param {{
   *   onChange: () => void,
   *   onColumns: (names: string[]) => void,
   *   onTable: () => void,
   *   onAgain: () => void,
   * }} listeners of rows that change, of their columns, of a new table on the server, and of a way to read
   *   typed rows after all
   */
  constructor({ onChange, onColumns, onTable, onAgain }) {
    this.onChange = onChange;
    this.onColumns = onColumns;
    this.onTable = onTable;
    this.onAgain = onAgain;
    this.gaps = {}; // how typed rows are read that lack values
    this.loaded = null; // what the server says of its table; null while rows are typed
    this.reading = null; // resolves to whether the newest file could be read
    this.turn = 0; // choices of data, of which the newest counts
    this.typed = 0; // the newest choice to type
    this.name = ""; // of the file that is being read
    this.version = 0; // tables that the server has read
    this.grid = new Grid($("grid"), {
      onEdit: () => this.edited(),
      onPaste: (file) => this.readFile(file, { pasted: "yes" }),
    });
    this.listen();
  }

  /** A value that changes whenever the rows do. */
  get key() {
    if (this.reading) return `reading ${this.turn}`;
    return this.loaded ? `table ${this.version}` : this.grid.text();
  }

  /** The name of the file or example; empty while rows are typed. */
  get source() {
    return this.loaded?.source ?? "";
  }

  /** Whether the data are complete, once every file has been read. */
  async ready() {
    let complete = true;
    while (this.reading) complete = await this.reading;
    return complete || this.typed === this.turn;
  }

  /**
   * Let the server have typed rows; it has all others already.
   * @param {string[]} columns
   */
  async send(columns) {
    if (this.loaded) return;
    const { name, body, aside } = this.grid.asFile(columns);
    try {
      await api.sendData(name, body, { typed: "yes", aside, ...this.gaps });
    } catch (error) {
      error.isAboutData = true;
      this.offer(error.nMissing, (how) => {
        this.gaps = how;
        this.fail("");
        this.onAgain();
      });
      throw error;
    }
  }

  /**
   * Let the server read a file or an example. If another one is chosen meanwhile, that counts.
   * @param {string} name
   * @param {() => Promise<any>} ask
   * @param {(query: object) => void} [again] read it in another way, because rows have missing values
   */
  read(name, ask, again) {
    const turn = (this.turn += 1);
    this.name = name;
    this.fail("");
    const isNewest = () => turn === this.turn;
    this.reading = api
      .inTurn(async () => {
        if (!isNewest()) return false;
        await api.cancelFit(); // of the earlier data
        this.take(await ask(), turn);
        return isNewest();
      })
      .catch((error) => {
        if (isNewest()) this.failToRead(name, error, again);
        return false;
      })
      .finally(() => {
        if (!isNewest()) return;
        this.reading = null;
        this.describe();
        this.onChange();
      });
    this.describe();
    this.onChange();
    return this.reading;
  }

  // Shown even if a newer file is on its way: it is the table of the server, should that one fail.
  take(summary, turn) {
    if (turn < this.typed) return;
    this.version += 1;
    this.loaded = summary;
    if (summary.source === PASTED && summary.is_whole) this.grid.fill(summary.columns, summary.rows);
    else this.grid.preview(summary);
    this.onColumns(summary.columns);
    this.onTable();
  }

  describe() {
    if (this.reading) {
      $("data-note").textContent = `Reading ${this.name} …`;
    } else if (!this.loaded) {
      $("data-note").textContent = "";
    } else {
      const { source, n_rows: rows, columns, rows: first, left_out: out, notes } = this.loaded;
      const shown = first.length < rows ? `; the first ${first.length} are shown` : "";
      const left = out.length ? ` Left out, because they are not numbers: ${out.join(", ")}.` : "";
      const size = `${source}: ${counted(rows, "row")}, ${counted(columns.length, "column")}${shown}.${left}`;
      $("data-note").textContent = [size, ...notes].join(" ");
    }
    for (const id of ["add-row", "add-column"]) $(id).disabled = !this.grid.isTyped;
  }

  readFile(file, query = {}) {
    const again = (other) => this.readFile(file, { ...query, ...other });
    return this.read(file.name, () => api.sendData(file.name, file, query), again);
  }

  failToRead(name, { message, nMissing }, again) {
    const what = message.includes(name) ? message : `${name}: ${message}`;
    const held = this.source === name ? "" : this.source;
    this.fail(`${what} The table still holds ${held || "the rows that you see"}.`);
    this.offer(nMissing, again);
  }

  /**
   * Offer what can be done about rows with missing values.
   * @param {number | undefined} nMissing their number, if there are some
   * @param {(query: object) => void} again read them in this way
   */
  offer(nMissing, again) {
    if (!nMissing) return;
    $("drop-missing").textContent = `Leave out ${counted(nMissing, "row")}`;
    $("drop-missing").onclick = () => again({ drop_missing: "yes" });
    $("keep-missing").onclick = () => again({ keep_missing: "yes" });
    $("missing").hidden = false;
  }

  fail(text) {
    $("data-error").textContent = text;
    $("missing").hidden = true;
  }

  // Lead to what is wrong with the data.
  showError(text = $("data-error").textContent) {
    $("data-error").textContent = text;
    $("data-error").focus();
  }

  edited() {
    this.loaded = null;
    this.fail("");
    this.describe(); // what was said of the former table is not true of this one
    this.onColumns(this.grid.columns());
    this.onChange();
  }

  /** A table to type into. A file that is being read does not count any more. */
  type({ columns, rows }) {
    this.typed = this.turn += 1;
    this.gaps = {};
    this.reading = null;
    this.loaded = null;
    this.grid.edit(columns, rows);
  }

  listen() {
    $("add-row").addEventListener("click", () => this.grid.addRow());
    $("add-column").addEventListener("click", () => this.grid.addColumn());
    $("clear").addEventListener("click", () => this.type(EMPTY));
    $("sample").addEventListener("click", () => this.type(SAMPLE));
    $("file").addEventListener("change", (event) => {
      const [file] = event.target.files;
      event.target.value = ""; // the same file may be chosen again
      if (file) this.readFile(file);
    });
    for (const button of document.querySelectorAll("[data-example]")) {
      const name = /** @type {HTMLElement} */ (button).dataset.example;
      button.addEventListener("click", () => this.read(name, () => api.useExample(name)));
    }
    const mark = (isOver) => $("drop").classList.toggle("over", isOver);
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      mark(true);
    });
    document.addEventListener("dragleave", () => mark(false));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      mark(false);
      const { files } = event.dataTransfer;
      if (files.length === 1) this.readFile(files[0]);
      else if (files.length) {
        this.fail(`One file is read at a time; got ${files.length}. Put their rows into one file.`);
        this.showError();
      }
    });
  }
}
