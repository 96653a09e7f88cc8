// @ts-check
// Numbers as a person reads them, tables of them, and full precision on copy.

export const counted = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

export function significant(value, digits = 5) {
  if (value === null || value === undefined) return "–";
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const exponent = Number(value.toExponential(digits - 1).split("e")[1]);
  if (exponent < -5 || exponent > 6) return value.toExponential(digits - 1);
  return value.toFixed(Math.max(0, digits - 1 - exponent));
}

/**
 * The part of an axis that shows the differences between the better half of some values.
 * @param {number[]} values the best, that is the least, first
 */
export function rangeNear(values) {
  const best = values[0];
  const span = values[Math.floor((values.length - 1) / 2)] - best || values.at(-1) - best || 1;
  return [best - 0.1 * span, best + 1.15 * span];
}

/**
 * Candidates that can be compared, the best first.
 * @param {any[]} candidates
 * @param {string} criterion
 */
export function rank(candidates, criterion) {
  const sound = candidates.filter((one) => one[criterion] !== null && !one.degenerate);
  return sound.sort((one, other) => one[criterion] - other[criterion]);
}

/**
 * Correlations of a covariance matrix.
 * @param {number[][]} matrix
 */
export function correlations(matrix) {
  const deviations = matrix.map((row, i) => Math.sqrt(row[i]));
  return matrix.map((row, i) =>
    row.map((value, j) => (i === j ? 1 : value / (deviations[i] * deviations[j]))),
  );
}

function cell(tag, content, scope) {
  const element = document.createElement(tag);
  if (scope) element.scope = scope;
  if (typeof content === "number") {
    element.textContent = significant(content);
    element.dataset.value = String(content);
  } else if (content instanceof Node) {
    element.append(content);
  } else {
    element.textContent = content;
  }
  return element;
}

// header: texts; rows: each a label and then cells, numbers or texts
export function fillTable(table, header, rows) {
  table.replaceChildren();
  if (header) {
    const head = table.createTHead().insertRow();
    for (const text of header) head.append(cell("th", text, "col"));
  }
  const body = table.createTBody();
  for (const [label, ...cells] of rows) {
    const line = body.insertRow();
    line.append(cell("th", label, "row"));
    for (const content of cells) line.append(cell("td", content));
  }
}

// A table that is wider or longer than its place fades where it is cut.
export function showCuts() {
  const show = (place) => {
    const room = 2; // pixels, for rounding
    place.classList.toggle("cut-right", place.scrollLeft + place.clientWidth < place.scrollWidth - room);
    place.classList.toggle("cut-below", place.scrollTop + place.clientHeight < place.scrollHeight - room);
  };
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) show(target.closest(".scroll"));
  });
  const watch = () => {
    for (const table of document.querySelectorAll(".scroll > table")) {
      resized.observe(table);
      resized.observe(table.parentElement);
    }
  };
  document.addEventListener(
    "scroll",
    ({ target }) => target instanceof Element && target.matches(".scroll") && show(target),
    true,
  );
  new MutationObserver(watch).observe(document.querySelector("main"), { childList: true, subtree: true });
  watch();
}

/**
 * Rows of a table as spreadsheets take them: all digits, and tabs between the cells.
 * @param {HTMLTableElement} table
 * @param {(cell: HTMLTableCellElement) => boolean} [isChosen]
 */
export function asText(table, isChosen = () => true) {
  const lines = [];
  for (const row of table.rows) {
    const cells = [...row.cells].filter(isChosen);
    if (cells.length) lines.push(cells.map((one) => one.dataset.value ?? one.textContent).join("\t"));
  }
  return lines.join("\n");
}

// Copying cells of a table gives them as a spreadsheet takes them.
export function copyCells(event) {
  const selection = document.getSelection();
  if (!selection || selection.isCollapsed) return;
  const node = selection.getRangeAt(0).commonAncestorContainer;
  const start = node instanceof Element ? node : node.parentElement;
  const table = /** @type {HTMLTableElement | null} */ (start.closest("table.numbers"));
  if (!table) return;
  event.clipboardData.setData(
    "text/plain",
    asText(table, (one) => selection.containsNode(one, true)),
  );
  event.preventDefault();
}
