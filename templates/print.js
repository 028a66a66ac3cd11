// On paper nothing can be opened: print what is listed with its records, and the sessions with all that ran.

const MOST_PRINTED = 300;
const MOST_PRINTED_SESSIONS = 30;
const MOST_PRINTED_LINES = 500;
const printedSessions = document.getElementById("printed-sessions");
const printedLines = document.getElementById("printed-lines");

// The lines that the filters leave: the view on the screen holds those in sight only.
function printLines() {
  const body = element("tbody", {}, ...shownLines.slice(0, MOST_PRINTED_LINES).map((line) => element("tr", {},
    element("td", {}, timeNode(lines.get("event_time", line), lines.get("host", line))),
    element("td", {}, label(lines.get("host", line) ?? lines.get("computer", line), 60)),
    element("td", {}, plain(lineLevel(line) ?? lines.get("kind", line), 24)),
    element("td", {}, label(lines.get("text", line), 400)),
    element("td", {}, ...lines.get("records", line).slice(0, 2).map((record, index) => `${index > 0 ? ", " : ""}${plain(citation(record), 60)}`)))));
  const head = element("tr", {}, ...["Time", "Host", "Kind", "What happened", "Records"].map((name) => element("th", { scope: "col" }, name)));
  const rest = shownLines.length - MOST_PRINTED_LINES;
  printedLines.replaceChildren(element("table", { class: "static-lines" }, element("thead", {}, head), body),
    rest > 0 ? element("p", { class: "note" }, `${count(rest, "line")} more are not printed; filter the lines in the file to print others.`) : "");
  printedLines.hidden = false;
}

window.addEventListener("beforeprint", () => {
  for (const item of [...list.querySelectorAll("details.finding:not([open])")].slice(0, MOST_PRINTED)) {
    item.dataset.printed = "yes";
    item.open = true;
    if (!item.dataset.filled) {
      item.dataset.filled = "yes";
      item.append(findingBody(findings[positionOf.get(Number(item.id.slice("finding-".length)))]));
    }
  }
  printLines();
  if (sessionPage.hidden) {
    printedSessions.replaceChildren(...data.sessions.slice(0, MOST_PRINTED_SESSIONS).map((session) => element("article", { class: "session-page" }, sessionContent(session))),
      data.sessions.length > MOST_PRINTED_SESSIONS ? element("p", {}, `${count(data.sessions.length - MOST_PRINTED_SESSIONS, "session")} more are not printed; open each in the file and print its page.`) : "");
    printedSessions.hidden = false;
  }
});
window.addEventListener("afterprint", () => {
  for (const item of list.querySelectorAll("details[data-printed]")) {
    delete item.dataset.printed;
    item.open = false;
  }
  printedLines.hidden = true;
  printedLines.replaceChildren();
  printedSessions.hidden = true;
  printedSessions.replaceChildren();
});
