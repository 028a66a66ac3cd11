// On paper nothing can be opened: print what is listed with its records, and the sessions with all that ran.

const MOST_PRINTED = 300;
const MOST_PRINTED_SESSIONS = 30;
const printedSessions = document.getElementById("printed-sessions");

window.addEventListener("beforeprint", () => {
  for (const item of [...list.querySelectorAll("details.finding:not([open])")].slice(0, MOST_PRINTED)) {
    item.dataset.printed = "yes";
    item.open = true;
    if (!item.dataset.filled) {
      item.dataset.filled = "yes";
      item.append(findingBody(findings[positionOf.get(Number(item.id.slice("finding-".length)))]));
    }
  }
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
  printedSessions.hidden = true;
  printedSessions.replaceChildren();
});
