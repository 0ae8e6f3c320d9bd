"use strict";
// A click on a column's title sorts by it: upwards, downwards, and then in the order of the report again.
// Numbers stand in data-value with all their digits; what was not measured stays below, whichever way.
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

function key(row, column) {
  const cell = row.cells[column];
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  const text = cell.textContent.trim();
  return text === "–" || text === "" ? null : text;
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  return one.localeCompare(other, "en", { numeric: true });
}

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const order = NEXT[head.getAttribute("aria-sort")];
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", order);
      const known = original.filter((row) => key(row, column) !== null);
      const unknown = original.filter((row) => key(row, column) === null);
      const turn = order === "descending" ? -1 : 1;
      known.sort((one, other) => turn * compare(key(one, column), key(other, column)));
      body.replaceChildren(...(order === "none" ? original : [...known, ...unknown]));
    });
  });
}
