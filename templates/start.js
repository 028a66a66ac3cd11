// Puts the parts together: choices of zone, clocks and colours, the address, the first drawing.

const themeSelect = document.getElementById("theme");
const THEME_KEY = "evtxhunt-theme";

function darkRule() {
  for (const sheet of document.styleSheets) {
    for (const rule of sheet.cssRules) {
      if (rule instanceof CSSMediaRule && rule.cssRules[0]?.selectorText === ":root" && !rule.media.mediaText.includes("print")) {
        return rule;
      }
    }
  }
  return null;
}

// The dark colours are one block of the style; the choice says when it applies.
const darkColours = darkRule();

function applyTheme() {
  const theme = themeSelect.value;
  if (darkColours === null) {
    return; // a style of one's own has one scheme
  }
  darkColours.media.mediaText = theme === "" ? "screen and (prefers-color-scheme: dark)" : theme === "dark" ? "screen" : "not all";
  document.documentElement.style.colorScheme = theme;
  redraw();
}

function startTheme() {
  themeSelect.disabled = darkColours === null;
  try {
    themeSelect.value = localStorage.getItem(THEME_KEY) ?? "";
  } catch {
    themeSelect.value = "";
  }
  if (themeSelect.selectedIndex < 0) {
    themeSelect.value = "";
  }
  applyTheme();
  themeSelect.addEventListener("change", () => {
    applyTheme();
    try {
      localStorage.setItem(THEME_KEY, themeSelect.value);
    } catch {
      // the choice lasts as long as the page
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

function applyClocks() {
  chooseZone(zoneSelect.value);
  refillTimes();
  density = null;
  groupFindings();
  orderLines();
  refreshRows();
  drawDetails();
  redraw();
}

function clocksFromState() {
  zoneSelect.value = state.tz;
  if (zoneSelect.selectedIndex < 0) {
    zoneSelect.value = data.zone;
  }
  correctedBox.checked = state.clocks === "corrected" && !correctedBox.disabled;
}

function showPlace() {
  const [, kind, number] = /^(finding|session|record)-(\d+)$/.exec(place) ?? [];
  const session = kind === "session" ? sessionOf.get(Number(number)) : undefined;
  if (session !== undefined) {
    showSession(session);
    return;
  }
  leaveSession();
  const position = kind === "finding" ? positionOf.get(Number(number)) : undefined;
  if (position !== undefined) {
    openFinding(position);
  } else if (kind === "record") {
    openRecord(Number(number));
  } else if (place !== "" && /^[\w-]+$/.test(place)) {
    document.getElementById(place)?.scrollIntoView({ block: "start" });
  }
}

function onAddress() {
  const before = JSON.stringify(state);
  readAddress();
  if (JSON.stringify(state) !== before) {
    clocksFromState();
    formFromState();
    applyClocks();
    viewFromState();
    showChosenRow();
  } else if (location.hash !== address()) {
    history.replaceState(null, "", address()); // a link within the page names only its place
  }
  showPlace();
}

readAddress();
clocksFromState();
chooseZone(zoneSelect.value);
loadNotes();
groupFindings();
startZoom();
startRows();
formFromState();
viewFromState();
filters.hidden = false;
document.getElementById("toolbar").hidden = false;
drawFindings();
refreshRows();
startGraph();
refillTimes();
startTheme();
hideSessions();
nameNotes();
marksChanged();
markListeners.push((isListChanged) => {
  if (isListChanged) {
    hideSessions();
    groupFindings();
    drawFindings();
    redraw();
  }
  refreshStars();
  refreshRows();
});
zoneSelect.addEventListener("change", () => {
  setState({ tz: zoneSelect.value });
  applyClocks();
});
correctedBox.addEventListener("change", () => {
  setState({ clocks: correctedBox.checked ? "corrected" : "" });
  applyClocks();
});
window.addEventListener("hashchange", onAddress);
redraw();
if (place !== "") {
  showPlace();
}
showChosenRow();
document.documentElement.dataset.ready = "yes";
