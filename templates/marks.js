// The analyst's marks: star, note, hide. Kept in this browser by the case's content, exported and imported as JSON.

const NOTES_FORMAT = "evtxhunt-notes";
const LONGEST_NOTE = 10000;
const MOST_NOTES = 20000;
const storageKey = `evtxhunt-notes-${data.case}`;
const marked = new Map(); // key -> {star, hide, note}
const markListeners = [];
const notesDialog = document.getElementById("notes-dialog");
const notesStatus = document.getElementById("notes-status");
const showHidden = document.getElementById("show-hidden");

// Content, not numbers of this report: the same record has the same key in every report of the same evidence.
function recordKey(record) {
  const [, , sha256] = data.sources[records.get("source", record)];
  const offset = records.get("record_offset", record);
  return `${sha256.slice(0, 16)}:${offset === null ? `#${records.get("event_record_id", record)}` : offset}`;
}

function keyOf(kind, name, cited) {
  return `${kind}/${name}/${cited.length > 0 ? recordKey(cited[0]) : "no record"}`;
}

function lineKey(line) {
  const finding = lineFinding(line);
  return finding === null ? keyOf("line", lines.get("kind", line), lines.get("records", line)) : findingKey(finding);
}

function findingKey(finding) {
  return keyOf("finding", finding.detection_id, finding.records);
}

function sessionKey(session) {
  return keyOf("session", session.kind, session.detail.witnesses.map((witness) => witness.record));
}

function markOf(key) {
  return marked.get(key) ?? { star: false, hide: false, note: "" };
}

function isHidden(key) {
  return !showHidden.checked && markOf(key).hide;
}

// One entry of a notes file, or null if it is none.
function readMark(item) {
  if (typeof item !== "object" || item === null || typeof item.key !== "string" || item.key.length > 500) {
    return null;
  }
  const note = typeof item.note === "string" ? item.note.slice(0, LONGEST_NOTE) : "";
  return [item.key, { star: item.star === true, hide: item.hide === true, note }];
}

function readNotes(text) {
  const content = JSON.parse(text);
  if (typeof content !== "object" || content === null || content.format !== NOTES_FORMAT || !Array.isArray(content.notes)) {
    throw new Error("this is no file of evtxhunt notes");
  }
  return content.notes.slice(0, MOST_NOTES).map(readMark).filter((item) => item !== null);
}

function writeNotes() {
  const notes = [...marked].sort(([one], [other]) => (one < other ? -1 : 1)).map(([key, mark]) => ({ key, ...mark }));
  return JSON.stringify({ format: NOTES_FORMAT, version: 1, case: data.case, notes }, null, 1);
}

function loadNotes() {
  for (const { key, is_starred: star, is_hidden: hide, text: note } of data.notes) {
    marked.set(key, { star, hide, note });
  }
  try {
    const stored = localStorage.getItem(storageKey);
    for (const [key, mark] of stored === null ? [] : readNotes(stored)) {
      marked.set(key, mark);
    }
  } catch {
    notesStatus.textContent = "This browser keeps nothing for this file: export your notes before you close it.";
  }
}

function marksChanged(isListChanged = true) {
  try {
    localStorage.setItem(storageKey, writeNotes());
  } catch {
    notesStatus.textContent = "This browser keeps nothing for this file: export your notes before you close it.";
  }
  const used = [...marked.values()].filter((mark) => mark.star || mark.hide || mark.note !== "").length;
  document.getElementById("notes-count").textContent = used === 0 ? "" : used.toLocaleString("en-US");
  for (const listener of markListeners) {
    listener(isListChanged);
  }
}

function changeMark(key, changes) {
  marked.set(key, { ...markOf(key), ...changes });
  marksChanged("hide" in changes);
}

// Star, hide and note of one thing.
function markControls(key, what) {
  const mark = markOf(key);
  const star = button(mark.star ? "★ Starred" : "☆ Star", { "aria-pressed": String(mark.star), "aria-label": `Star ${what}` }, () => {
    const next = !markOf(key).star;
    star.textContent = next ? "★ Starred" : "☆ Star";
    star.setAttribute("aria-pressed", String(next));
    changeMark(key, { star: next });
  });
  const hide = button(mark.hide ? "Show again" : "Hide", { "aria-pressed": String(mark.hide), "aria-label": `Hide ${what}` }, () => {
    const next = !markOf(key).hide;
    hide.textContent = next ? "Show again" : "Hide";
    hide.setAttribute("aria-pressed", String(next));
    changeMark(key, { hide: next });
  });
  const text = element("textarea", { rows: "2", maxlength: String(LONGEST_NOTE), "aria-label": `Note on ${what}`, placeholder: "Note", spellcheck: "false" });
  text.value = mark.note;
  text.addEventListener("change", () => changeMark(key, { note: text.value }));
  return element("div", { class: "mark-controls" }, star, hide, text);
}

// What a key stands on in this report: [its words, where it leads], or null.
function targetOf(key) {
  return targets().get(key) ?? null;
}

let targetMap = null;

function targets() {
  if (targetMap === null) {
    targetMap = new Map();
    for (let line = 0; line < lines.length; line += 1) {
      if (lineFinding(line) === null) {
        targetMap.set(lineKey(line), [lines.get("text", line), `timeline?row=${line}`]);
      }
    }
    for (const finding of findings) {
      targetMap.set(findingKey(finding), [`${finding.title}: ${finding.summary}`, `finding-${Number(finding.finding_id)}`]);
    }
    for (const session of data.sessions) {
      targetMap.set(sessionKey(session), [`Session ${session.session_id}`, `session-${Number(session.session_id)}`]);
    }
  }
  return targetMap;
}

function drawNotes() {
  const used = [...marked].filter(([, mark]) => mark.star || mark.hide || mark.note !== "");
  const missing = used.filter(([key]) => targetOf(key) === null).length;
  const items = used.slice(0, 500).map(([key, mark]) => {
    const target = targetOf(key);
    const what = target === null ? element("span", {}, visible(cut(key, 120)), " (not in this report)")
      : element("a", { href: `#${target[1]}` }, label(target[0], 160));
    what.addEventListener("click", () => notesDialog.close());
    return element("li", {}, mark.star ? "★ " : "", what, mark.hide ? element("span", { class: "chip" }, "hidden") : "",
      mark.note === "" ? "" : element("div", { class: "note-text" }, show(mark.note, 600)));
  });
  document.getElementById("notes-list").replaceChildren(...items);
  if (missing > 0) {
    notesStatus.textContent = `${missing} of ${count(used.length, "note")} fit nothing in this report: it may show less of the case.`;
  }
}

// The notes that came with the report name what they are on, where that is in it.
function nameNotes() {
  for (const place of document.querySelectorAll(".note-on")) {
    const target = targetOf(data.notes[Number(place.dataset.note)].key);
    if (target !== null) {
      place.replaceChildren(element("a", { href: `#${target[1]}` }, label(target[0], 160)));
    }
  }
}

document.getElementById("notes-button").addEventListener("click", () => {
  drawNotes();
  notesDialog.showModal();
});
for (const close of document.querySelectorAll(".dialog-close")) {
  close.addEventListener("click", () => close.closest("dialog").close());
}
showHidden.addEventListener("change", () => markListeners.forEach((listener) => listener(true)));
document.getElementById("notes-export").addEventListener("click", () => {
  const link = element("a", { download: "notes.json" });
  link.href = URL.createObjectURL(new Blob([writeNotes()], { type: "application/json" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
document.getElementById("notes-import").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file === undefined) {
    return;
  }
  try {
    const read = readNotes(await file.text());
    for (const [key, mark] of read) {
      marked.set(key, mark);
    }
    notesStatus.textContent = `${count(read.length, "note")} imported.`;
    marksChanged();
    drawNotes();
  } catch {
    notesStatus.textContent = "That file holds no evtxhunt notes; nothing was changed.";
  }
});
