// @ts-check
// Pasted text, and names of its columns.

/**
 * Text as a file: the lines as they are, and no empty ones at the end. A tab there is an empty cell.
 * @param {string} text
 */
export const asFile = (text) => `${text.replace(/[\r\n]+$/, "")}\n`;

/**
 * Cells that a spreadsheet has copied; what they mean is for the server to say.
 * @param {string} text
 * @returns {string[][]} by row
 */
export function cellsOf(text) {
  const lines = asFile(text)
    .slice(0, -1)
    .split(/\r\n?|\n/);
  return lines.map((line) => line.split("\t").map((cell) => cell.trim()));
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
