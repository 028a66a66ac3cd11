// The records behind a finding: a table, each row opens to the record as the log has it.

const RECORDS_AT_ONCE = 25;
const RECORD_COLUMNS = ["Time", "Channel", "Provider", "Event ID", "Record ID", "Source file"];

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

function rawRecord(record) {
  const [, path, sha256] = data.sources[record.source];
  const offset = record.record_offset;
  const raw = element("div", { class: "raw" }, facts([
    ["Computer", label(record.computer, 160)],
    ["Host", label(record.host, 160)],
    ["User SID", label(record.user_sid, 200)],
    ["event_key", String(record.event_key)],
    ["Log", show(path), "wide"],
    ["SHA-256 of the log", show(sha256), "wide"],
    ["Offset in the log", offset === null ? unknown() : `${count(offset, "byte")} (0x${offset.toString(16)})`],
  ]));
  if (record.event_data === null) {
    raw.append(element("p", {}, "The record has no event data."));
    return raw;
  }
  raw.append(fieldTable(record.event_data, "Event data"));
  const json = element("details", { class: "fold" }, element("summary", {}, "as JSON"));
  whenOpened(json, () => json.append(element("pre", { class: "raw-text", tabindex: "0" }, show(record.event_data, 20000))));
  raw.append(json);
  return raw;
}

function recordRows(position) {
  const record = toObject(data.record_fields, data.records[position]);
  const button = element("button", { type: "button", class: "raw-button", "aria-expanded": "false" }, "Raw");
  const cells = [
    element("span", { class: "time" }, label(record.event_time)), label(record.channel, 120), label(record.provider, 120),
    record.event_id === null ? unknown() : String(record.event_id),
    record.event_record_id === null ? unknown() : String(record.event_record_id),
    show(data.sources[record.source][1], 200),
  ];
  const row = element("tr", {}, ...cells.map((cell) => element("td", {}, cell)), element("td", {}, button));
  let opened = null;
  button.addEventListener("click", () => {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    if (opened === null) {
      opened = element("tr", { class: "raw-row" }, element("td", { colspan: String(cells.length + 1) }, rawRecord(record)));
      row.after(opened);
    } else {
      opened.hidden = isOpen;
    }
  });
  return row;
}

function recordTable(finding) {
  const body = element("tbody");
  const head = element("tr", {}, ...RECORD_COLUMNS.map((name) => element("th", { scope: "col" }, name)),
    element("th", { scope: "col" }, element("span", { class: "visually-hidden" }, "Raw record")));
  const table = element("table", { class: "records" }, element("caption", {}, `Records behind this finding (${finding.record_count.toLocaleString("en-US")})`),
    element("thead", {}, head), body);
  const region = element("div", { class: "scroll-region", role: "region", tabindex: "0", "aria-label": "Records behind this finding" }, table);
  const whole = element("div", {}, region);
  const more = element("button", { type: "button", class: "more-button" });
  const addRows = () => {
    const shown = body.querySelectorAll(":scope > tr:not(.raw-row)").length;
    body.append(...finding.records.slice(shown, shown + RECORDS_AT_ONCE).map(recordRows));
    const left = finding.records.length - shown - RECORDS_AT_ONCE;
    more.hidden = left <= 0;
    more.textContent = `Show ${Math.min(left, RECORDS_AT_ONCE)} more of ${left.toLocaleString("en-US")}`;
  };
  more.addEventListener("click", addRows);
  addRows();
  whole.append(more);
  const leftOut = finding.record_count - finding.records.length;
  if (leftOut > 0) {
    const sql = `SELECT event.* FROM finding_evidence JOIN event USING (event_key) WHERE finding_id = ${Number(finding.finding_id)}`;
    whole.append(element("p", { class: "note" }, `${count(leftOut, "record")} left out of this report. All of them: `,
      element("code", { class: "command" }, `evtxhunt sql "${sql}"`)));
  }
  return whole;
}
