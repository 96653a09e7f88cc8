// @ts-check
// Text of a spreadsheet or a file, as it is pasted, and names of its columns.

const isNumber = (cell) => cell === "" || !Number.isNaN(Number(cell));

/**
 * Cells of pasted text.
 * @param {string} text
 * @returns {{ header: string[] | null, rows: string[][], isPlain: boolean }} the names in the first
 *   line, if there are some; the cells below; and whether these are numbers (or empty) that need no
 *   more reading
 */
export function parsePaste(text) {
  const lines = text.replace(/\r\n?/g, "\n").replace(/\n+$/, "").split("\n");
  const separator = ["\t", ";"].find((mark) => lines[0].includes(mark)) ?? ",";
  const cells = lines.map((line) => line.split(separator).map((cell) => cell.trim()));
  const hasHeader = cells[0].every((cell) => !isNumber(cell));
  const rows = hasHeader ? cells.slice(1) : cells;
  const isPlain = rows.length > 0 && rows.every((row) => row.every(isNumber));
  return { header: hasHeader ? cells[0] : null, rows, isPlain };
}

/**
 * Names of columns, each its own: x1, x2, ... for an empty one, and _ behind a repeated one.
 * @param {string[]} cells
 */
export function distinctNames(cells) {
  const names = new Set();
  cells.forEach((cell, j) => {
    let name = cell || `x${j + 1}`;
    while (names.has(name)) name += "_";
    names.add(name);
  });
  return [...names];
}
