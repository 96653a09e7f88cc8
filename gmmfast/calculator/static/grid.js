// The data: a table to type into, or the first rows of a file.

export const SAMPLE = {
  columns: ["x1", "x2"],
  rows: [[1.0, 1.1], [1.5, 1.4], [5.0, 4.8], [5.5, 5.2], [1.2, 0.9], [5.1, 5.0]],
};
const MOST_TYPED = 500; // rows; more go to the server as they are pasted
const TYPED = "typed.csv";

const quoted = (text) => (/[",\n\t;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export class Grid {
  constructor(table, { onChange, onFile }) {
    this.table = table;
    this.onChange = onChange;
    this.onFile = onFile;
    this.isTyped = true;
    table.addEventListener("input", () => this.onChange());
    table.addEventListener("paste", (event) => this.paste(event));
    table.addEventListener("keydown", (event) => this.move(event));
  }

  // A table to type into.
  edit(columns, rows) {
    this.isTyped = true;
    const head = document.createElement("tr");
    head.append(this.corner());
    columns.forEach((name, j) => head.append(this.input("th", name, `name of column ${j + 1}`)));
    const lines = rows.map((row, i) => this.line(i, columns.map((_, j) => row[j] ?? "")));
    this.show(head, lines);
    this.onChange();
  }

  // The first rows of what the server has read.
  preview(summary) {
    this.isTyped = false;
    const head = document.createElement("tr");
    head.append(this.corner());
    for (const name of summary.columns) head.append(this.text("th", name));
    const lines = summary.rows.map((row, i) => {
      const line = document.createElement("tr");
      line.append(this.text("th", String(i + 1)));
      for (const value of row) line.append(this.text("td", String(Number(value.toPrecision(7)))));
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

  text(tag, content) {
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
    return this.inputs()[0].map((input, j) => input.value.trim() || `x${j + 1}`);
  }

  // The typed table, without empty rows at the end.
  rows() {
    const rows = this.inputs().slice(1).map((row) => row.map((input) => input.value.trim()));
    while (rows.length && rows.at(-1).every((cell) => cell === "")) rows.pop();
    return rows;
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

  // Some columns of the typed table, for the server to read like any file.
  asFile(chosen) {
    const columns = this.columns();
    const picked = chosen.map((name) => columns.indexOf(name));
    const lines = [columns, ...this.rows()].map((line) => picked.map((j) => line[j]));
    return { name: TYPED, body: lines.map((line) => line.map(quoted).join(",")).join("\n") + "\n" };
  }

  // Several cells, or more of them than anyone types: from a spreadsheet or a text file.
  paste(event) {
    const text = event.clipboardData.getData("text/plain").replace(/\r\n?/g, "\n").replace(/\n+$/, "");
    if (!this.isTyped || !/[\t\n]/.test(text)) return;
    event.preventDefault();
    const lines = text.split("\n");
    if (lines.length > MOST_TYPED) {
      this.onFile(new File([`${text}\n`], "pasted.csv"));
      return;
    }
    const separator = lines[0].includes("\t") ? "\t" : /;/.test(lines[0]) ? ";" : ",";
    const cells = lines.map((line) => line.split(separator).map((one) => one.trim()));
    this.place(event.target, cells);
  }

  place(target, cells) {
    const isHeader = cells[0].every((one) => one !== "" && Number.isNaN(Number(one)));
    const { columns, rows } = this.content();
    const inputs = this.inputs();
    let top = inputs.findIndex((row) => row.includes(target));
    const left = Math.max(0, inputs[Math.max(0, top)].indexOf(target));
    if (isHeader) {
      cells[0].forEach((name, j) => { columns[left + j] = name; });
      cells = cells.slice(1);
      top = Math.max(1, top);
    } else if (top === 0) {
      top = 1;
    }
    cells.forEach((line, i) => {
      const row = (rows[top - 1 + i] ??= []);
      line.forEach((value, j) => { row[left + j] = value; });
    });
    const width = Math.max(columns.length, ...rows.map((row) => row.length));
    while (columns.length < width) columns.push(`x${columns.length + 1}`);
    this.edit(columns.map((name, j) => name ?? `x${j + 1}`), rows);
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
