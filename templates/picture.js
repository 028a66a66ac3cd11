// The picture of the timeline for any part of the time: lanes as the page brought them, only the places along the time are new.

const picture = document.getElementById("timeline-picture");
const MARK_WIDTH = 17; // pixels: closer findings of one lane and level share a mark
const COUNT_WIDTH = 34; // pixels that the number beside a mark needs
const SHORTEST_BAR = 5;
const TICK_WIDTH = 130;
const TICK_SECONDS = [
  0.001, 0.01, 0.1, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000,
  7776000, 31536000, 157680000,
];

let view = data.axis === null ? null : [...data.axis]; // microseconds
const laneOf = new Map(data.lanes.flatMap((lane, index) => lane.hosts.map((host) => [host, index])));
const hostOf = (computer) => (computer === null ? null : Object.hasOwn(data.places, computer.toLowerCase()) ? data.places[computer.toLowerCase()] : computer);
let rows = []; // {lane, level, times, positions}: findings of one lane and level in the order of their shown times
let dimmed = null; // positions that the filters of the findings leave, when they leave any out
let pictureWidth = 0;

function groupFindings() {
  const groups = new Map();
  findings.forEach((finding, position) => {
    const lane = laneOf.get(finding.host);
    if (lane !== undefined && typeof finding.event_time === "number" && !isHidden(findingKey(finding))) {
      const key = `${lane} ${finding.level}`;
      if (!groups.has(key)) {
        groups.set(key, { lane, level: finding.level, all: [] });
      }
      groups.get(key).all.push([shownTime(finding.event_time, finding.host), position]);
    }
  });
  rows = [...groups.values()].map(({ lane, level, all }) => {
    all.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
    return { lane, level, times: all.map(([time]) => time), positions: all.map(([, position]) => position) };
  }).sort((one, other) => one.lane - other.lane || data.levels.indexOf(one.level) - data.levels.indexOf(other.level));
}

// Index of the first time that is not before `time`.
function lowerBound(times, time) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

function placeOf(time) {
  return ((time - view[0]) / (view[1] - view[0])) * pictureWidth;
}

function ticks() {
  const seconds = (view[1] - view[0]) / 1e6;
  const most = Math.max(2, Math.floor(pictureWidth / TICK_WIDTH));
  const step = (TICK_SECONDS.find((size) => seconds / size <= most) ?? TICK_SECONDS[TICK_SECONDS.length - 1]) * 1e6;
  const shift = zoneOffset(view[0]) * 6e7;
  const made = [];
  let context = "";
  for (let time = Math.ceil((view[0] + shift) / step) * step - shift; time <= view[1]; time += step) {
    const text = timeText(Math.round(time));
    const day = text.slice(0, 10);
    const clock = step >= 86400e6 ? "" : text.slice(11, step >= 60e6 ? 16 : step >= 1e6 ? 19 : 23);
    made.push([placeOf(time), clock === "" ? day : clock, clock === "" || day === context ? "" : day]);
    context = day;
  }
  return made;
}

function drawAxis(height) {
  const axis = svgElement("g", { class: "axis", "aria-hidden": "true" });
  for (const [x, text, context] of ticks()) {
    axis.append(svgElement("line", { x1: x, x2: x, y1: 0, y2: height }));
    if (x < pictureWidth - 60) {
      axis.append(svgElement("text", { class: "tick-context", x: x + 5, y: 13 }, context), svgElement("text", { x: x + 5, y: 29 }, text));
    }
  }
  return axis;
}

function drawSpans(lane, index) {
  const group = svgElement("g", { class: "hatches" });
  const ground = svgElement("rect", { class: "lane-ground", x: 0, y: lane.y, width: pictureWidth, height: lane.height - 4 });
  group.append(ground);
  for (const span of data.spans) {
    if (laneOf.get(span.host) === index && lane.hosts.length === 1) {
      const start = Math.max(0, placeOf(span.start === null ? view[0] : shownTime(span.start, span.host)));
      const end = Math.min(pictureWidth, placeOf(span.end === null ? view[1] : shownTime(span.end, span.host)));
      if (end > start) {
        const rect = svgElement("rect", {
          class: span.channel === null ? "hatch hatch-whole" : "hatch", x: start, width: end - start,
          y: span.channel === null ? lane.y : lane.y + lane.height - 11, height: span.channel === null ? lane.height - 4 : 7,
        });
        rect.append(svgElement("title", {}, `${span.channel === null ? "" : `${plain(span.channel)}: `}${span.reason}`));
        group.append(rect);
      }
    }
  }
  for (const [host, time, channel] of data.cleared) {
    if (laneOf.get(host) === index) {
      const x = placeOf(shownTime(time, host));
      if (x >= 0 && x <= pictureWidth) {
        const line = svgElement("line", { class: "cleared", x1: x, x2: x, y1: lane.y, y2: lane.y + lane.height - 4 });
        line.append(svgElement("title", {}, `${plain(channel)} cleared, ${timeText(shownTime(time, host))}`));
        group.append(line);
      }
    }
  }
  return group;
}

function drawBars(lane) {
  const bars = [];
  for (const session of data.sessions) {
    const y = lane.tracks[session.session_id];
    if (y !== undefined && !isHidden(sessionKey(session))) {
      const host = hostOf(session.target);
      const start = placeOf(shownTime(session.start_time, host));
      const end = placeOf(shownTime(session.end_time ?? session.start_time + 60e6, host));
      if (end >= 0 && start <= pictureWidth) {
        const name = `${plain(session.kind, 24)} session ${session.session_id} of ${plain(session.user_name, 60)} from ${plain(session.source, 60)}, confidence ${plain(session.confidence, 12)}`;
        const x = Math.max(-4, start);
        bars.push(svgElement("a", { class: `bar ${confidenceClass(session.confidence)}`, href: `#session-${Number(session.session_id)}`, "aria-label": name },
          svgElement("title", {}, name),
          svgElement("rect", { class: session.end_time === null ? "bar-line bar-open" : "bar-line", x, y: y + 1, width: Math.max(SHORTEST_BAR, Math.min(end, pictureWidth + 4) - x), height: 10, rx: 3 }),
          svgElement("text", { class: "bar-number", x: x + 4, y: y + 9.5 }, end - start > 20 ? String(session.session_id) : "")));
      }
    }
  }
  return bars;
}

function drawMarks(index) {
  const marks = [];
  const lane = data.lanes[index];
  for (const row of rows) {
    if (row.lane !== index || lane.levels[row.level] === undefined) {
      continue;
    }
    const first = lowerBound(row.times, view[0]);
    const last = lowerBound(row.times, view[1] + 1);
    for (let start = first; start < last;) {
      const x = placeOf(row.times[start]);
      let end = start + 1;
      while (end < last && placeOf(row.times[end]) - x < MARK_WIDTH) {
        end += 1;
      }
      const free = (end < last ? placeOf(row.times[end]) : pictureWidth) - x;
      marks.push(drawMark(lane, row, start, end, x, free));
      start = end;
    }
  }
  return marks;
}

function drawMark(lane, row, start, end, x, free) {
  const positions = row.positions.slice(start, end);
  const number = positions.length;
  const titles = new Set(positions.slice(0, 1000).map((position) => findings[position].title));
  const one = findings[positions[0]];
  const what = titles.size === 1 ? plain(one.title, 100) : `${titles.size.toLocaleString("en-US")} different detections`;
  const begin = timeText(row.times[start]);
  const finish = timeText(row.times[end - 1]);
  const title = `${row.level}: ${number > 1 ? `${number.toLocaleString("en-US")} findings: ` : ""}${what}; ${lane.label}; ${begin === finish ? begin : `${begin} to ${finish}`}`;
  const scale = number === 1 ? 1 : number < 10 ? 1.2 : number < 100 ? 1.4 : 1.6;
  const mark = svgElement("a", { class: `mark level-${row.level}`, href: `#finding-${Number(one.finding_id)}`, "aria-label": title },
    svgElement("title", {}, title),
    svgElement("g", { transform: `translate(${x.toFixed(1)} ${lane.levels[row.level]})` },
      svgElement("circle", { class: "mark-target", r: 10 }),
      svgElement("use", { href: `#shape-${row.level}`, transform: `scale(${scale})` }),
      number > 1 && free >= COUNT_WIDTH ? svgElement("text", { class: "mark-count", x: 9 * scale, y: 4 }, number.toLocaleString("en-US")) : ""));
  mark.positions = positions;
  mark.classList.toggle("is-dim", dimmed !== null && !positions.some((position) => dimmed.has(position)));
  return mark;
}

function drawArrows() {
  const arrows = [];
  for (const hop of data.hops) {
    const from = data.lanes[laneOf.get(hostOf(hop.via))];
    const to = data.lanes[laneOf.get(hostOf(hop.target))];
    const x = placeOf(shownTime(hop.event_time, hostOf(hop.via)));
    if (from === undefined || to === undefined || x < 0 || x > pictureWidth) {
      continue;
    }
    const y1 = from.y + 32;
    const y2 = to.y + 32 + (to.y > from.y ? -8 : 12);
    const name = `Second hop from ${plain(hostOf(hop.via), 60)} to ${plain(hostOf(hop.target), 60)} as ${plain(hop.next_user_name, 60)}, ${hop.is_failed ? "refused" : plain(hop.method.replaceAll("_", " "), 40)}`;
    const path = from === to ? `M${x} ${y1}h14v14h-10` : `M${x} ${y1}V${y2}`;
    arrows.push(svgElement("a", { class: `hop-arrow${hop.is_failed ? " hop-failed" : ""}`, href: `#session-${Number(hop.from_session_id)}`, "aria-label": name },
      svgElement("title", {}, name), svgElement("path", { class: "hop-touch", d: path }),
      svgElement("path", { class: "hop-line", d: path, "marker-end": "url(#hop-head)" })));
  }
  return arrows;
}

function drawLabel(lane) {
  const found = rows.filter((row) => data.lanes[row.lane] === lane).reduce((sum, row) => sum + row.times.length, 0);
  const sessions = Object.keys(lane.tracks).length;
  const parts = [found > 0 || sessions === 0 ? count(found, "finding") : "", sessions > 0 ? count(sessions, "session") : ""].filter((part) => part !== "");
  return svgElement("text", { class: "lane-label", x: 8, y: lane.y + 16 },
    svgElement("tspan", { class: "lane-name" }, lane.label), svgElement("tspan", { dx: 8 }, parts.join(", ")));
}

function drawCursor(height) {
  const line = chosenLine();
  if (line === null) {
    return [];
  }
  const time = lineTime(line);
  const x = typeof time === "number" ? placeOf(time) : -1;
  return x < 0 || x > pictureWidth ? [] : [svgElement("line", { class: "cursor", x1: x, x2: x, y1: 34, y2: height })];
}

function drawPicture() {
  if (picture === null || view === null) {
    return;
  }
  pictureWidth = Math.max(300, picture.getBoundingClientRect().width);
  const height = Number(picture.getAttribute("height"));
  const focused = picture.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const lanes = data.lanes.map((lane, index) => svgElement("g", { class: "lane", role: "group", "aria-label": lane.label }, drawLabel(lane), ...drawBars(lane), ...drawMarks(index)));
  picture.replaceChildren(picture.querySelector("defs"), ...data.lanes.map(drawSpans), drawAxis(height), ...lanes, ...drawArrows(), ...drawCursor(height));
  rove(focused);
}

function things() {
  return [...picture.querySelectorAll("a.mark, a.bar, a.hop-arrow")];
}

// One stop for the tab key, whatever the number of marks.
function rove(focused) {
  const all = things();
  const current = (focused !== null && all.find((thing) => thing.getAttribute("href") === focused)) || all[0];
  for (const thing of all) {
    thing.setAttribute("tabindex", thing === current ? "0" : "-1");
  }
  if (focused !== null && current !== undefined) {
    current.focus({ preventScroll: true });
  }
}

function openMark(mark) {
  const { positions } = mark;
  setPlace(`finding-${Number(findings[positions[0]].finding_id)}`);
  if (positions.length > 1) {
    limitTo(positions);
  }
  openFinding(positions[0], positions.length > 1 ? status : null);
}

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

if (picture !== null) {
  picture.addEventListener("click", (event) => {
    const mark = event.target.closest("a.mark");
    if (mark !== null) {
      event.preventDefault();
      openMark(mark);
    }
  });
  picture.addEventListener("keydown", (event) => {
    const all = things();
    const index = all.indexOf(event.target.closest("a"));
    if (index < 0) {
      return;
    }
    const target = event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : index + (STEPS[event.key] ?? 0);
    if (target !== index && all[target] !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      all[index].setAttribute("tabindex", "-1");
      all[target].setAttribute("tabindex", "0");
      all[target].focus();
    }
  });
  filterListeners.push((matching) => {
    dimmed = matching.size === findings.length ? null : matching;
    for (const mark of picture.querySelectorAll("a.mark")) {
      mark.classList.toggle("is-dim", dimmed !== null && mark.positions !== undefined && !mark.positions.some((position) => dimmed.has(position)));
    }
  });
}
