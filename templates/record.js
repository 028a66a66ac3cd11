// The records behind a finding: a table, each row opens to the record as the log has it.

const RECORDS_AT_ONCE = 25;
const RECORD_COLUMNS = ["Time", "Computer", "Channel", "Event ID", "Record ID", "Log file"];
const SHORT_CHANNELS = {
  "Microsoft-Windows-Sysmon/Operational": "Sysmon", "Microsoft-Windows-WinRM/Operational": "WinRM", "Microsoft-Windows-PowerShell/Operational": "PowerShell",
};

const ORIGINS = {
  rescued: "rescued: a live record that the fast parser dropped and that was rendered one by one",
  slack: "slack: left in the free space of a chunk; in the log no more",
  carved: "carved: from a chunk found in a blob, outside of any log",
};

// The short words for a record: Security 4624 #4711, and where it is from if that is slack or a blob.
function citation(record) {
  const channel = records.get("channel", record);
  return `${SHORT_CHANNELS[channel] ?? channel ?? "?"} ${records.get("event_id", record) ?? "?"} #${records.get("event_record_id", record) ?? "?"}${mark(records.get("origin", record))}`;
}

function mark(origin) {
  return origin === "slack" || origin === "carved" ? ` (${origin})` : "";
}

function recordLink(record) {
  return element("a", { class: "record-link", href: `#record-${Number(record)}` }, label(citation(record), 80));
}

// The first few records as links.
function citations(cited, total, most = 4) {
  const whole = element("span", { class: "citations" });
  cited.slice(0, most).forEach((record, index) => whole.append(index > 0 ? ", " : "", recordLink(record)));
  const rest = total - Math.min(cited.length, most);
  whole.append(rest > 0 ? ` and ${rest.toLocaleString("en-US")} more` : "");
  return whole;
}

// Fields of a JSON text as [[path, text], ...]. Not JSON.parse: real records repeat a name, and hold integers that a
// JavaScript number cannot. Returns null for what is no JSON.
function readFields(json) {
  const token = /\s*(?:([{}[\],:])|("[^"\\]*(?:\\[^][^"\\]*)*")|([^\s{}[\],:"]+))/y;
  const fields = [];
  const stack = []; // the objects and arrays around a value: {isArray, key, index, isEmpty}
  const path = () => stack.map((level) => (level.isArray ? `[${level.index}]` : `.${level.key}`)).join("").replace(/^\./, "");
  const emit = (text) => fields.push([path(), text]);
  const value = () => {
    if (stack.length > 0) {
      stack[stack.length - 1].isEmpty = false;
    }
  };
  let key = null; // a string in an object that may turn out to be a key
  let end = 0;
  try {
    for (let match = token.exec(json); match !== null; match = token.exec(json)) {
      end = token.lastIndex;
      const [, mark, string, other] = match;
      const top = stack[stack.length - 1];
      if (string !== undefined && top && !top.isArray && key === null) {
        key = JSON.parse(string);
        top.key = key;
      } else if (string !== undefined || other !== undefined) {
        value();
        emit(string !== undefined ? JSON.parse(string) : other === "null" ? null : other);
      } else if (mark === "{" || mark === "[") {
        if (stack.length > 100) {
          return null;
        }
        value();
        stack.push({ isArray: mark === "[", key: "", index: 0, isEmpty: true });
        key = null;
      } else if (mark === "}" || mark === "]") {
        const closed = stack.pop();
        if (closed === undefined) {
          return null;
        }
        if (closed.isEmpty && stack.length > 0) {
          emit(closed.isArray ? "[]" : "{}");
        }
        key = stack.length > 0 && !stack[stack.length - 1].isArray ? "" : null;
      } else if (mark === "," && top) {
        top.index += 1;
        key = null;
      }
    }
  } catch {
    return null;
  }
  return stack.length === 0 && json.slice(end).trim() === "" && end > 0 ? fields : null;
}

function fieldTable(json, caption) {
  const fields = readFields(json);
  if (fields === null) {
    return element("pre", { class: "raw-text", tabindex: "0" }, show(json, 4000));
  }
  const body = element("tbody");
  for (const [name, text] of fields) {
    body.append(element("tr", {}, element("th", { scope: "row" }, name === "" ? "value" : visible(cut(name, 200))), element("td", {}, text === "" ? emptyText() : show(text))));
  }
  return element("table", { class: "fields" }, element("caption", {}, caption), body);
}

// An empty text in the log is known to be empty, which is not the same as unknown.
function emptyText() {
  return element("span", { class: "unknown", title: "empty text" }, "\u201c\u201d");
}

async function copyText(text, made) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no permission, or an old browser
    const box = element("textarea", { class: "visually-hidden" });
    box.value = text;
    made.after(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
  made.textContent = "Copied";
}

// Where else the record is, a text each; the number is that of the record's header there.
function copyTexts(record) {
  const texts = record.copies.map(([source, number]) => `${data.sources[source][1]} (header #${number})`);
  const more = record.copy_count - texts.length;
  return more > 0 ? [...texts, `${count(more, "more place")}: table event_copy`] : texts;
}

// The record as text for a ticket: where it is from, and its data as the log has it.
function recordText(record, index, eventData) {
  const [, path, sha256] = data.sources[record.source];
  return [
    `Cite: ${citation(index)}`, `Computer: ${record.computer}`, `Time: ${timeText(record.event_time)}`, `Log: ${path}`, `SHA-256: ${sha256}`,
    `Channel: ${record.channel}`, `Provider: ${record.provider}`, `EventID: ${record.event_id}`, `EventRecordID: ${record.event_record_id}`,
    `Offset: ${record.record_offset}`, ...(record.origin in ORIGINS ? [`Origin: ${ORIGINS[record.origin]}`] : []),
    ...copyTexts(record).map((text) => `Also in: ${text}`), `Event data: ${eventData ?? ""}`,
  ].map((line) => visible(line).textContent).join("\n");
}

async function rawRecord(index) {
  const record = records.object(index);
  const eventData = await eventDataOf(index);
  const [, path, sha256] = data.sources[record.source];
  const offset = record.record_offset;
  const raw = element("div", { class: "raw" }, facts([
    ["Time", timeNode(record.event_time, record.host)],
    ["Computer", label(record.computer, 160)],
    ["Host", label(record.host, 160)],
    ["Channel", label(record.channel, 160)],
    ["Provider", label(record.provider, 160)],
    ["Event ID", show(record.event_id)],
    ["EventRecordID", show(record.event_record_id)],
    ...(record.origin in ORIGINS ? [["Origin", ORIGINS[record.origin], "wide"]] : []),
    ["User SID", label(record.user_sid, 200)],
    ["event_key", String(record.event_key)],
    ["Log", show(path), "wide"],
    ["SHA-256 of the log", show(sha256), "wide"],
    ["Offset in the log", offset === null ? unknown() : `${count(offset, "byte")} (0x${offset.toString(16)})`],
    ...copyTexts(record).map((text) => ["Also in", show(text), "wide"]),
  ]));
  raw.append(button("Copy this record", { class: "copy-button" }, (event) => copyText(recordText(record, index, eventData), event.currentTarget)));
  if (eventData === null) {
    raw.append(record.is_data_left_out ? element("p", {}, "Its event data is left out of this report for its size: ",
      element("code", { class: "command" }, `evtxhunt sql "SELECT event_data FROM event WHERE event_key = ${Number(record.event_key)}"`))
      : element("p", {}, "The record has no event data."));
    return raw;
  }
  raw.append(fieldTable(eventData, "Event data"));
  const json = element("details", { class: "fold" }, element("summary", {}, "as JSON"));
  whenOpened(json, () => json.append(element("pre", { class: "raw-text", tabindex: "0" }, show(eventData, 20000))));
  raw.append(json);
  return raw;
}

// A record by itself, in front of the page; closing it leads back.
async function openRecord(index) {
  if (!(index >= 0 && index < records.length)) {
    return;
  }
  const dialog = document.getElementById("record-dialog");
  dialog.replaceChildren(
    element("div", { class: "dialog-head" }, element("h2", {}, label(citation(index), 80)),
      button("Close", { class: "dialog-close", "aria-label": "Close" }, () => dialog.close())),
    await rawRecord(index));
  if (!dialog.open) {
    dialog.showModal();
  }
}

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a.record-link") : null;
  if (link !== null) {
    event.preventDefault();
    openRecord(Number(link.getAttribute("href").slice("#record-".length)));
  }
});

// The last part of a path of Windows or Linux; the raw view has all of it.
function fileName(path) {
  return path.split(/[\\/]/).pop();
}

function recordRows(index, extra = []) {
  const record = records.object(index);
  const toggle = element("button", { type: "button", class: "raw-button", "aria-expanded": "false" }, "Raw");
  const cells = [
    ...extra, timeNode(record.event_time, record.host), label(record.computer, 120), label(record.channel, 120),
    show(record.event_id), element("span", {}, show(record.event_record_id), mark(record.origin)), label(fileName(data.sources[record.source][1]), 60),
  ];
  const row = element("tr", {}, ...cells.map((cell) => element("td", {}, cell)), element("td", {}, toggle));
  let opened = null;
  toggle.addEventListener("click", async () => {
    const isOpen = toggle.getAttribute("aria-expanded") === "true";
    toggle.setAttribute("aria-expanded", String(!isOpen));
    if (opened === null) {
      const cell = element("td", { colspan: String(cells.length + 1) });
      opened = element("tr", { class: "raw-row" }, cell);
      row.after(opened);
      cell.append(await rawRecord(index));
    } else {
      opened.hidden = isOpen;
    }
  });
  return row;
}

// A table of records; `extras` are further cells in front of each, under `heads`.
function recordTable(cited, total, caption, heads = [], extras = []) {
  const body = element("tbody");
  const head = element("tr", {}, ...[...heads, ...RECORD_COLUMNS].map((name) => element("th", { scope: "col" }, name)),
    element("th", { scope: "col" }, element("span", { class: "visually-hidden" }, "Raw record")));
  const table = element("table", { class: "records" }, element("caption", {}, `${caption} (${total.toLocaleString("en-US")})`),
    element("thead", {}, head), body);
  const region = element("div", { class: "scroll-region", role: "region", tabindex: "0", "aria-label": caption }, table);
  const whole = element("div", {}, region);
  let shown = 0;
  const more = button("", { class: "more-button" }, () => addRows());
  const addRows = () => {
    body.append(...cited.slice(shown, shown + RECORDS_AT_ONCE).map((record, index) => recordRows(record, extras[shown + index])));
    shown = Math.min(cited.length, shown + RECORDS_AT_ONCE);
    const left = cited.length - shown;
    more.hidden = left <= 0;
    more.textContent = `Show ${Math.min(left, RECORDS_AT_ONCE)} more of ${left.toLocaleString("en-US")}`;
  };
  addRows();
  whole.append(more);
  return whole;
}

function leftOut(number, noun, command) {
  return number <= 0 ? "" : element("p", { class: "note" }, `${count(number, noun)} left out of this report. All of them: `,
    element("code", { class: "command" }, command));
}

function findingRecords(finding) {
  const sql = `SELECT event.* FROM finding_evidence JOIN event USING (event_key) WHERE finding_id = ${Number(finding.finding_id)}`;
  return [recordTable(finding.records, finding.record_count, "Records behind this finding"),
    leftOut(finding.record_count - finding.records.length, "record", `evtxhunt sql "${sql}"`)];
}
