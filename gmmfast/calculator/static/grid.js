// @ts-check
// A table to type into, or the first rows of a file.

import { asFile, cellsOf, distinctNames } from "./paste.js";

export const SAMPLE = {
  columns: ["x1", "x2"],
  rows: [
    [1.0, 1.1],
    [1.5, 1.4],
    [5.0, 4.8],
    [5.5, 5.2],
    [1.2, 0.9],
    [5.1, 5.0],
  ],
};
const MOST_TYPED = 500; // rows that are pasted into a typed table; more replace it
const TYPED = "typed.csv";
export const PASTED = "pasted.csv";

const quoted = (text) => (/[",\n\t;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export class Grid {
  constructor(table, { onEdit, onPaste }) {
    this.table = table;
    this.onEdit = onEdit;
    this.onPaste = onPaste;
    this.isTyped = true;
    this.isSample = false; // whether nobody has changed the rows that are there at first
    table.addEventListener("input", () => {
      this.isSample = false;
      this.onEdit();
    });
    document.addEventListener("paste", (event) => this.paste(event));
    table.addEventListener("keydown", (event) => this.move(event));
  }

  // A table to type into, which is new.
  edit(columns, rows) {
    this.fill(columns, rows);
    this.isSample = rows === SAMPLE.rows;
    this.onEdit();
  }

  // A table to type into, as it is on the server until somebody does.
  fill(columns, rows) {
    this.isTyped = true;
    this.isSample = false;
    const head = document.createElement("tr");
    head.append(this.corner());
    columns.forEach((name, j) => head.append(this.input("th", name, `name of column ${j + 1}`)));
    const lines = rows.map((row, i) =>
      this.line(
        i,
        columns.map((_, j) => row[j] ?? ""),
      ),
    );
    this.show(head, lines);
  }

  // The first rows of what the server has read.
  preview(summary) {
    this.isTyped = false;
    this.isSample = false;
    const head = document.createElement("tr");
    head.append(this.corner());
    for (const name of summary.columns) head.append(this.value("th", name));
    const lines = summary.rows.map((row, i) => {
      const line = document.createElement("tr");
      line.append(this.value("th", String(i + 1)));
      for (const value of row) {
        line.append(this.value("td", value === null ? "" : String(Number(value.toPrecision(7)))));
      }
      return line;
    });
    this.show(head, lines);
  }

  show(head, lines) {
    const thead = document.createElement("thead");
    thead.append(head);
    const tbody = document.createElement("tbody");
    tbody.append(...lines);
    this.table.replaceChildren(thead, tbody);
  }

  corner() {
    const corner = document.createElement("th");
    corner.textContent = "row";
    return corner;
  }

  value(tag, content) {
    const element = document.createElement(tag);
    element.textContent = content;
    element.className = "value";
    return element;
  }

  input(tag, value, label) {
    const element = document.createElement(tag);
    const input = document.createElement("input");
    input.value = value;
    input.setAttribute("aria-label", label);
    input.spellcheck = false;
    element.append(input);
    return element;
  }

  line(i, values) {
    const line = document.createElement("tr");
    const number = document.createElement("th");
    number.textContent = String(i + 1);
    line.append(number);
    values.forEach((value, j) => line.append(this.input("td", value, `row ${i + 1}, column ${j + 1}`)));
    return line;
  }

  inputs() {
    return [...this.table.rows].map((row) => [...row.querySelectorAll("input")]);
  }

  columns() {
    return distinctNames(this.inputs()[0].map((input) => input.value.trim()));
  }

  // The typed table, without empty rows at the end.
  rows() {
    const rows = this.inputs()
      .slice(1)
      .map((row) => row.map((input) => input.value.trim()));
    while (rows.length && rows.at(-1).every((cell) => cell === "")) rows.pop();
    return rows;
  }

  // All cells, as one text.
  text() {
    return JSON.stringify(this.content());
  }

  addRow() {
    const { columns, rows } = this.content();
    this.edit(columns, [...rows, columns.map(() => "")]);
    this.inputs().at(-1)[0].focus();
  }

  addColumn() {
    const { columns, rows } = this.content();
    this.edit([...columns, `x${columns.length + 1}`], rows);
  }

  // The typed table, with its empty rows.
  content() {
    const [names, ...rows] = this.inputs().map((row) => row.map((input) => input.value));
    return { columns: names, rows };
  }

  /**
   * The typed table, for the server to read like any file; columns aside come back with the results.
   * @param {string[]} chosen columns of numbers
   */
  asFile(chosen) {
    const columns = this.columns();
    const rows = this.rows();
    const isAside = (name, j) => !chosen.includes(name) && rows.some((row) => row[j] !== "");
    const aside = columns.filter(isAside);
    const sent = columns.map((_, j) => j).filter((j) => [...chosen, ...aside].includes(columns[j]));
    const lines = [columns, ...rows].map((line) => sent.map((j) => quoted(line[j])).join(","));
    return { name: TYPED, body: lines.join("\n") + "\n", aside };
  }

  // Several cells go to the server, which reads them like a file, or into a table that is being typed.
  paste(event) {
    const text = event.clipboardData.getData("text/plain");
    const isElsewhere = !this.table.contains(event.target);
    if ((isElsewhere && event.target.matches("input, textarea")) || !/[\t\n]/.test(text.trim())) return;
    event.preventDefault();
    const cells = cellsOf(text);
    const isAll = isElsewhere || !this.isTyped || this.isSample || this.isAtStart(event.target);
    if (isAll || cells.length > MOST_TYPED) this.onPaste(new File([asFile(text)], PASTED));
    else this.place(event.target, cells);
  }

  // Whether a cell is the first one, or a name: what is pasted there replaces the table.
  isAtStart(target) {
    const [names, first] = this.inputs();
    return names.includes(target) || first?.[0] === target;
  }

  place(target, cells) {
    const { columns, rows } = this.content();
    const inputs = this.inputs();
    const top = inputs.findIndex((row) => row.includes(target));
    const left = inputs[top].indexOf(target);
    cells.forEach((line, i) => {
      const row = (rows[top - 1 + i] ??= []);
      line.forEach((value, j) => {
        row[left + j] = value;
      });
    });
    const width = Math.max(columns.length, ...rows.map((row) => row.length));
    while (columns.length < width) columns.push(`x${columns.length + 1}`);
    this.edit(columns, rows);
  }

  // Enter and the arrows go from row to row.
  move(event) {
    const step = { ArrowUp: -1, ArrowDown: 1, Enter: 1 }[event.key];
    if (!step || !this.isTyped) return;
    const inputs = this.inputs();
    const i = inputs.findIndex((row) => row.includes(event.target));
    const next = inputs[i + step];
    if (i < 0) return;
    event.preventDefault();
    if (next) next[inputs[i].indexOf(event.target)]?.focus();
    else if (event.key === "Enter") this.addRow();
  }
}
