// The story line by line: filtered, scrolled through by drawing only what is in sight, each line opening to its records.

const rowsForm = document.getElementById("rows-filters");
const rowsGrid = document.getElementById("rows-grid");
const rowsView = document.getElementById("rows-view"); // what scrolls within it
const rowsSpace = document.getElementById("rows-space");
const rowsStatus = document.getElementById("rows-status");
const rowDetails = document.getElementById("row-details");
const narrow = matchMedia("(max-width: 40rem)");
const SPARE_ROWS = 6;
// A browser's largest element; more lines than this never fit into a report.
const MOST_HEIGHT = 15000000;

let order = []; // lines in the order of their shown times
let shownLines = [];
let drawnFrom = -1;
let drawnTo = -1;
let rowsTimer = 0;

function lineTime(line) {
  return shownTime(lines.get("event_time", line), lines.get("host", line));
}

function lineFinding(line) {
  const id = lines.get("finding_id", line);
  return (id === null ? null : findings[positionOf.get(id)]) ?? null;
}

function lineLevel(line) {
  return lineFinding(line)?.level ?? null;
}

function lineTactics(line) {
  const finding = lineFinding(line);
  return finding === null ? [] : finding.attack.flatMap((name) => (Object.hasOwn(data.techniques, name) ? data.techniques[name][1] : []));
}

function orderLines() {
  order = Array.from({ length: lines.length }, (_, line) => line);
  if (correctedBox.checked) {
    const times = order.map(lineTime);
    const rank = (time) => (typeof time === "number" ? time : Infinity);
    order.sort((one, other) => rank(times[one]) - rank(times[other]) || one - other);
  }
}

// For a column of texts: which of them hold the word.
function holding(field, word) {
  const column = lines.columns[field];
  return column.d === undefined ? [] : column.d.map((text) => text.toLowerCase().includes(word));
}

function textTest(words) {
  const fields = ["text", "user_name", "host", "computer", "channel", "kind"];
  const tests = words.map((word) => fields.map((field) => [lines.columns[field].v, holding(field, word)]));
  return (line) => tests.every((columns) => columns.some(([values, holds]) => values[line] >= 0 && holds[values[line]] === true));
}

function matchingLines() {
  const words = state.q.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const hasWords = textTest(words);
  const levels = state.level === "" ? null : new Set(state.level.split(","));
  const isInTime = (time) => typeof time === "number" && time >= view[0] && time <= view[1];
  const inWindow = state.window === "" && state.from !== "" && view !== null; // nothing is left out unasked
  const fits = (field, value) => value === "" || lines.get(field, line) === (value === "-" ? null : value);
  const hasMarks = [...marked.values()].some((mark) => mark.hide);
  let line = 0;
  return order.filter((candidate) => {
    line = candidate;
    return (!inWindow || isInTime(lineTime(line)))
      && fits("host", state.host) && fits("user_name", state.user) && fits("channel", state.channel) && fits("kind", state.kind)
      && (levels === null || levels.has(lineLevel(line) ?? "none"))
      && (state.tactic === "" || lineTactics(line).includes(state.tactic))
      && (words.length === 0 || hasWords(line))
      && (!hasMarks || !isHidden(lineKey(line)));
  });
}

function rowHeight() {
  return narrow.matches ? 64 : 36;
}

function rowNode(index) {
  const line = shownLines[index];
  const level = lineLevel(line);
  const isChosen = state.row === String(line);
  const cited = lines.get("records", line);
  const starred = marked.size > 0 && markOf(lineKey(line)).star ? "★ " : "";
  const node = element("div", {
    role: "row", id: `line-${line}`, "aria-rowindex": String(index + 2), "aria-selected": String(isChosen), "data-index": String(index),
    class: `line${level === null ? "" : ` line-finding cell-${level}`}`,
  },
    element("span", { role: "gridcell", class: "line-time" }, timeNode(lines.get("event_time", line), lines.get("host", line))),
    element("span", { role: "gridcell", class: "line-host" }, label(lines.get("host", line) ?? lines.get("computer", line), 40)),
    element("span", { role: "gridcell", class: "line-kind" }, level === null ? "" : shape(level), plain(level ?? lines.get("kind", line), 24)),
    element("span", { role: "gridcell", class: "line-text" }, starred, label(lines.get("text", line), 400)),
    element("span", { role: "gridcell", class: "line-user" }, label(lines.get("user_name", line), 60)),
    element("span", { role: "gridcell", class: "line-records" }, cited.length > 0 ? plain(citation(cited[0]), 60) : ""));
  node.style.transform = `translateY(${index * rowHeight()}px)`;
  return node;
}

function drawRows(isForced = false) {
  const height = rowHeight();
  const from = Math.max(0, Math.floor(rowsView.scrollTop / height) - SPARE_ROWS);
  const to = Math.min(shownLines.length, Math.ceil((rowsView.scrollTop + rowsView.clientHeight) / height) + SPARE_ROWS);
  if (!isForced && from === drawnFrom && to === drawnTo) {
    return;
  }
  const kept = new Map();
  if (!isForced) {
    for (const node of [...rowsSpace.children]) {
      const index = Number(node.dataset.index);
      if (index >= from && index < to) {
        kept.set(index, node);
      } else {
        node.remove();
      }
    }
  } else {
    rowsSpace.replaceChildren();
  }
  for (let index = from; index < to; index += 1) {
    if (!kept.has(index)) {
      rowsSpace.append(rowNode(index));
    }
  }
  [drawnFrom, drawnTo] = [from, to];
}

function refreshRows() {
  shownLines = matchingLines();
  rowsSpace.style.height = `${Math.min(MOST_HEIGHT, shownLines.length * rowHeight())}px`;
  rowsGrid.setAttribute("aria-rowcount", String(shownLines.length + 1));
  rowsStatus.textContent = shownLines.length === lines.length ? `${count(lines.length, "line")}.`
    : `${shownLines.length.toLocaleString("en-US")} of ${count(lines.length, "line")}.`;
  drawRows(true);
}

function refreshRowsSoon() {
  clearTimeout(rowsTimer);
  rowsTimer = setTimeout(refreshRows, 120);
}

// The line that the address names, or null.
function chosenLine() {
  return /^\d+$/.test(state.row) && Number(state.row) < lines.length ? Number(state.row) : null;
}

function drawDetails() {
  const line = chosenLine();
  if (line === null) {
    rowDetails.hidden = true;
    return;
  }
  const item = lines.object(line);
  const finding = lineFinding(line);
  const techniques = finding === null ? [] : finding.attack;
  rowDetails.replaceChildren(
    element("div", { class: "dialog-head" }, element("h3", {}, finding === null ? plain(item.kind, 40) : `${LEVEL_NAMES[finding.level]} finding`),
      button("Close", { class: "dialog-close", "aria-label": "Close the details" }, () => chooseRow(null))),
    element("p", { class: "row-text" }, show(item.text, 2000)),
    facts([
      ["Time", timeNode(item.event_time, item.host)], ["Host", show(item.host, 160)], ["Computer", show(item.computer, 160)], ["User", show(item.user_name, 160)],
      ["Session", item.session_id === null ? unknown() : element("a", { href: `#session-${Number(item.session_id)}` }, `Session ${item.session_id}`)],
      ...(finding === null ? [] : [["Finding", element("a", { href: `#finding-${Number(finding.finding_id)}` }, `Finding ${finding.finding_id}`)],
        ["ATT&CK", techniques.length === 0 ? unknown() : chips(techniques)]]),
    ]),
    markControls(lineKey(line), "this line"),
    recordTable(item.records, item.record_count, "Records behind this line"),
    leftOut(item.record_count - item.records.length, "record", "evtxhunt timeline --format jsonl"));
  rowDetails.hidden = false;
}

function chooseRow(line) {
  setState({ row: line === null ? "" : String(line) });
  for (const node of rowsSpace.children) {
    node.setAttribute("aria-selected", String(node.id === `line-${line}`));
  }
  if (line === null) {
    rowsGrid.removeAttribute("aria-activedescendant");
    rowsGrid.focus();
  } else {
    rowsGrid.setAttribute("aria-activedescendant", `line-${line}`);
  }
  drawDetails();
  redraw();
}

function scrollToIndex(index) {
  const height = rowHeight();
  if (index * height < rowsView.scrollTop) {
    rowsView.scrollTop = index * height;
  } else if ((index + 1) * height > rowsView.scrollTop + rowsView.clientHeight) {
    rowsView.scrollTop = (index + 1) * height - rowsView.clientHeight;
  }
  drawRows();
}

function moveRow(event) {
  const current = shownLines.indexOf(chosenLine());
  const page = Math.max(1, Math.floor(rowsView.clientHeight / rowHeight()) - 1);
  const steps = { ArrowDown: current + 1, ArrowUp: current - 1, PageDown: current + page, PageUp: current - page, Home: 0, End: shownLines.length - 1 };
  if (event.key === "Escape" && chosenLine() !== null) {
    chooseRow(null);
  } else if (event.key === "Enter" && chosenLine() !== null) {
    rowDetails.focus();
    rowDetails.scrollIntoView({ block: "nearest" });
  } else if (Object.hasOwn(steps, event.key) && shownLines.length > 0) {
    const next = Math.min(shownLines.length - 1, Math.max(0, steps[event.key]));
    scrollToIndex(next);
    chooseRow(shownLines[next]);
  } else {
    return;
  }
  event.preventDefault();
}

function fillSelect(name, field) {
  const values = [...new Set(lines.columns[field].d ?? [])].sort();
  const select = rowsForm.elements[name];
  for (const value of values.slice(0, 2000)) {
    const option = element("option", {}, plain(value, 60));
    option.value = value;
    select.append(option);
  }
  if ((lines.columns[field].v ?? []).some((value) => value === -1)) {
    const option = element("option", {}, "not known");
    option.value = "-";
    select.append(option);
  }
}

function formFromState() {
  for (const name of ["host", "user", "channel", "kind", "tactic", "q"]) {
    rowsForm.elements[name].value = state[name];
  }
  rowsForm.elements.window.checked = state.window === "";
  const levels = state.level === "" ? null : new Set(state.level.split(","));
  for (const box of rowsForm.querySelectorAll("input[name=level]")) {
    box.checked = levels === null || levels.has(box.value);
  }
}

function stateFromForm() {
  const boxes = [...rowsForm.querySelectorAll("input[name=level]")];
  const levels = boxes.filter((box) => box.checked).map((box) => box.value);
  setState({
    ...Object.fromEntries(["host", "user", "channel", "kind", "tactic", "q"].map((name) => [name, rowsForm.elements[name].value])),
    window: rowsForm.elements.window.checked ? "" : "all",
    level: levels.length === boxes.length ? "" : levels.join(","),
  });
}

// Shows the line of the address, whatever scrolled it away.
function showChosenRow() {
  const index = shownLines.indexOf(chosenLine());
  if (index >= 0) {
    rowsView.scrollTop = Math.max(0, index * rowHeight() - rowsView.clientHeight / 2);
    drawRows(true);
  }
  drawDetails();
}

function startRows() {
  document.getElementById("rows-static").hidden = true;
  document.getElementById("rows").hidden = false;
  fillSelect("host", "host");
  fillSelect("user", "user_name");
  fillSelect("channel", "channel");
  fillSelect("kind", "kind");
  for (const [key, name] of data.tactics) {
    const option = element("option", {}, name);
    option.value = key;
    rowsForm.elements.tactic.append(option);
  }
  rowsForm.addEventListener("input", () => {
    stateFromForm();
    refreshRowsSoon();
  });
  rowsForm.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("rows-reset").addEventListener("click", () => {
    setState({ host: "", user: "", channel: "", kind: "", tactic: "", q: "", level: "", window: "" });
    formFromState();
    refreshRows();
  });
  rowsView.addEventListener("scroll", () => drawRows(), { passive: true });
  rowsGrid.addEventListener("keydown", moveRow);
  rowsSpace.addEventListener("click", (event) => {
    const node = event.target.closest(".line");
    if (node !== null) {
      chooseRow(shownLines[Number(node.dataset.index)]);
    }
  });
  rowDetails.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      chooseRow(null);
    }
  });
  narrow.addEventListener("change", refreshRows);
  zoomListeners.push(refreshRowsSoon);
  orderLines();
}
