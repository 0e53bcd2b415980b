"use strict";
(() => {
  const root = document.documentElement;
  const toggle = document.querySelector("button.theme");
  const dark = () => root.dataset.theme === "dark" ||
    (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  const label = () => { toggle.textContent = dark() ? "Light colours" : "Dark colours"; };
  toggle.hidden = false;
  toggle.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; label(); });
  label();

  const key = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.v;
    return value === undefined ? cell.textContent.trim() : Number(value);
  };
  const compare = (a, b) => {
    const numeric = [typeof a === "number", typeof b === "number"];
    if (numeric[0] && numeric[1]) return a - b;
    if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
    return a.localeCompare(b, undefined, { numeric: true });
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const headers = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    headers.forEach((header, column) => {
      header.querySelector("button").addEventListener("click", () => {
        const down = header.getAttribute("aria-sort") === "ascending";
        headers.forEach((other) => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", down ? "descending" : "ascending");
        for (const body of table.tBodies) {
          const rows = [...body.rows].filter((row) => !row.classList.contains("section"));
          const absent = rows.filter((row) => row.cells[column].classList.contains("absent"));
          const present = rows.filter((row) => !absent.includes(row));
          present.sort((a, b) => compare(key(a, column), key(b, column)) * (down ? -1 : 1));
          body.append(...present, ...absent);
        }
      });
    });
  }
  for (const box of document.querySelectorAll("input[data-filter]")) {
    const table = document.getElementById(box.dataset.filter);
    box.addEventListener("input", () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of table.querySelectorAll("tbody tr:not(.section)")) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
  }

  const PAGE = 50;
  const RECORD = 11;
  const visible = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12];
  const trials = JSON.parse(document.getElementById("trial-data").textContent);
  const texts = trials.map((row) => row.join(" ").toLowerCase());
  const table = document.getElementById("trials");
  const box = document.getElementById("trial-filter");
  const count = document.getElementById("trial-count");
  const pages = [...document.querySelectorAll("button.page")];
  let order = trials.map((_, index) => index);
  let chosen = order;
  let page = 0;
  const format = (value) => {
    if (value === null) return "";
    if (typeof value !== "number") return value;
    return Number.isInteger(value) ? String(value) : value.toFixed(2);
  };
  const draw = () => {
    const last = Math.max(0, Math.ceil(chosen.length / PAGE) - 1);
    page = Math.min(Math.max(page, 0), last);
    const part = chosen.slice(page * PAGE, (page + 1) * PAGE);
    table.tBodies[0].replaceChildren(...part.map((index) => {
      const line = document.createElement("tr");
      for (const column of visible) {
        const cell = line.insertCell();
        const value = trials[index][column];
        if (typeof value === "number") cell.className = "n";
        if (column === 1) {
          const link = document.createElement("a");
          link.href = trials[index][RECORD];
          link.textContent = value;
          cell.append(link);
        } else cell.textContent = format(value);
      }
      return line;
    }));
    const from = chosen.length ? page * PAGE + 1 : 0;
    count.textContent = `${from} to ${page * PAGE + part.length} of ${chosen.length} trials`;
    pages[0].disabled = page === 0;
    pages[1].disabled = page === last;
  };
  const filter = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    chosen = order.filter((index) => words.every((word) => texts[index].includes(word)));
    page = 0;
    draw();
  };
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, position) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const column = visible[position];
      const empty = (index) => trials[index][column] === null || trials[index][column] === "";
      order = trials.map((_, index) => index).sort((a, b) => {
        if (empty(a) !== empty(b)) return empty(a) ? 1 : -1;
        return compare(trials[a][column], trials[b][column]) * (down ? -1 : 1);
      });
      filter();
    });
  });
  pages.forEach((button) => button.addEventListener("click", () => { page += Number(button.dataset.step); draw(); }));
  box.addEventListener("input", filter);
  filter();
})();
