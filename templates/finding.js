// The list of findings: by level, filtered, in steps, each opening to its details and records.

const FINDINGS_AT_ONCE = 50;
const MORE_FINDINGS = 200;
const SUMMARY_IN_HEAD = 300; // characters

const list = document.getElementById("finding-list");
const filters = document.getElementById("filters");
const status = document.getElementById("finding-status");

const findingTable = new Table(data.findings);
const findings = Array.from({ length: findingTable.length }, (_, row) => findingTable.object(row));
const positionOf = new Map(findings.map((finding, position) => [finding.finding_id, position]));
const haystacks = [];
const groups = new Map(); // level -> {positions, shown, box, more}
let chosen = null; // positions of a mark in the timeline, when the list is limited to it
const filterListeners = [];
let timer = 0; // of the redraw after typing

function haystack(position) {
  if (haystacks[position] === undefined) {
    const finding = findings[position];
    haystacks[position] = [
      finding.title, finding.summary, finding.detection_id, finding.host, finding.computer, finding.user_name,
      finding.details, finding.attack.join(" "),
    ].join("\n").toLowerCase();
  }
  return haystacks[position];
}

function matchingPositions() {
  const form = new FormData(filters);
  const levels = new Set(form.getAll("level"));
  const words = form.get("text").toLowerCase().split(/\s+/).filter((word) => word !== "");
  const host = form.get("host") === "" ? undefined : data.hosts[Number(form.get("host"))];
  const candidates = chosen ?? findings.keys();
  const matching = [];
  for (const position of candidates) {
    const finding = findings[position];
    if (levels.has(finding.level) && !isHidden(findingKey(finding)) && (host === undefined || finding.host === host)
      && (words.length === 0 || words.every((word) => haystack(position).includes(word)))) {
      matching.push(position);
    }
  }
  return matching;
}

function findingBody(finding) {
  const body = element("div", { class: "finding-body" });
  if (finding.summary.length > SUMMARY_IN_HEAD || finding.summary.includes("\n")) {
    body.append(element("div", { class: "finding-full" }, show(finding.summary, 2000)));
  }
  body.append(facts([
    ["Time", timeNode(finding.event_time, finding.host)],
    ["Host", show(finding.host, 160)],
    ["Computer", show(finding.computer, 160)],
    ["User", show(finding.user_name, 160)],
    ["Level", LEVEL_NAMES[finding.level]],
    ["Detection", show(finding.detection_id, 160)],
    ["ATT&CK", finding.attack.length === 0 ? unknown() : chips(finding.attack)],
    ["Finding", String(finding.finding_id)],
  ]));
  if (finding.details !== null && finding.details !== "{}") {
    body.append(fieldTable(finding.details, "Details of this detection"));
  }
  body.append(markControls(findingKey(finding), "this finding"), ...findingRecords(finding));
  return body;
}

function chips(techniques) {
  return element("span", { class: "chips" }, ...techniques.map((name) => {
    const known = Object.hasOwn(data.techniques, name) ? data.techniques[name][0] : null;
    return element("span", known === null ? { class: "chip" } : { class: "chip", title: known }, label(name, 24));
  }));
}

function findingItem(position) {
  const finding = findings[position];
  const head = element("summary", { class: "finding-head" },
    element("span", { class: "finding-time" }, timeNode(finding.event_time, finding.host)),
    element("span", { class: "finding-host" }, label(finding.host, 60)),
    element("span", { class: "finding-what" }, element("strong", {}, element("span", { class: "star" }, markOf(findingKey(finding)).star ? "★ " : ""), label(finding.title, 160)),
      element("span", { class: "finding-summary" }, label(finding.summary, SUMMARY_IN_HEAD))),
    element("span", { class: "finding-who" }, label(finding.user_name, 60)),
    element("span", { class: "finding-attack" }, ...chips(finding.attack).childNodes));
  const item = element("details", { class: `finding level-${finding.level}`, id: `finding-${Number(finding.finding_id)}` }, head);
  whenOpened(item, () => item.append(findingBody(finding)));
  return item;
}

function refreshStars() {
  for (const item of list.querySelectorAll("details.finding")) {
    const finding = findings[positionOf.get(Number(item.id.slice("finding-".length)))];
    item.querySelector(".star").textContent = markOf(findingKey(finding)).star ? "★ " : "";
  }
}

function showMore(group, number) {
  const next = group.positions.slice(group.shown, group.shown + number);
  group.box.append(...next.map(findingItem));
  group.shown += next.length;
  group.box.classList.toggle("is-long", group.shown > MORE_FINDINGS); // the browser skips what is off the screen
  const left = group.positions.length - group.shown;
  group.more.hidden = left === 0;
  group.more.textContent = `Show ${Math.min(left, MORE_FINDINGS).toLocaleString("en-US")} more of ${left.toLocaleString("en-US")}`;
}

function drawFindings() {
  const matching = matchingPositions();
  groups.clear();
  const sections = [];
  for (const level of data.levels) {
    const positions = matching.filter((position) => findings[position].level === level);
    if (positions.length === 0) {
      continue;
    }
    const group = {
      positions, shown: 0,
      box: element("div", { class: "group-items" }),
      more: element("button", { type: "button", class: "more-button" }),
    };
    group.more.addEventListener("click", () => showMore(group, MORE_FINDINGS));
    showMore(group, FINDINGS_AT_ONCE);
    groups.set(level, group);
    sections.push(element("section", { class: "group", id: `level-${level}` },
      element("h3", {}, shape(level), ` ${LEVEL_NAMES[level]} `, element("span", { class: "group-count" }, positions.length.toLocaleString("en-US"))),
      group.box, group.more));
  }
  list.replaceChildren(...sections);
  status.replaceChildren(matching.length === findings.length
    ? `${count(findings.length, "finding")}. Each opens to the records behind it.`
    : `${matching.length.toLocaleString("en-US")} of ${count(findings.length, "finding")}.`);
  if (chosen !== null) {
    const clear = element("button", { type: "button", class: "clear-button" }, "Show all findings");
    clear.addEventListener("click", () => {
      chosen = null;
      drawFindings();
      status.focus();
    });
    status.append(" Limited to one mark of the timeline. ", clear);
  }
  const visiblePositions = new Set(matching);
  filterListeners.forEach((listener) => listener(visiblePositions));
}

function resetFilters() {
  clearTimeout(timer);
  chosen = null;
  filters.reset();
}

// Shows the finding, whatever hides it, and scrolls to it or to what `target` gives.
function openFinding(position, target = null) {
  const finding = findings[position];
  if (!groups.get(finding.level)?.positions.includes(position)) {
    resetFilters();
    drawFindings();
  }
  const group = groups.get(finding.level);
  const place = group.positions.indexOf(position);
  if (place >= group.shown + 10 * MORE_FINDINGS) {
    limitTo([position]); // thousands of rows to reach one are no help
  } else if (place >= group.shown) {
    showMore(group, place + 1 - group.shown);
  }
  const item = document.getElementById(`finding-${Number(finding.finding_id)}`);
  item.open = true;
  (target ?? item).scrollIntoView({ block: "start" });
  item.querySelector("summary").focus({ preventScroll: true });
}

function limitTo(positions) {
  resetFilters();
  chosen = positions;
  drawFindings();
}

filters.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(drawFindings, 120);
});
filters.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("filter-reset").addEventListener("click", () => {
  resetFilters();
  drawFindings();
});
