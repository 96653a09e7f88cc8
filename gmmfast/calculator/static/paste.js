// @ts-check
// Text of a spreadsheet or a file, as it is pasted.

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
