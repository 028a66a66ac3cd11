// Times in the chosen zone, as logged or corrected by what is known of the hosts' clocks.

const zoneSelect = document.getElementById("zone");
const correctedBox = document.getElementById("corrected");
let zoneFormat = null;

function chooseZone(zone) {
  zoneFormat = zone === "UTC" ? null : new Intl.DateTimeFormat("en-US", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
}

// Minutes that the zone is ahead of UTC at that time.
function zoneOffset(time) {
  if (zoneFormat === null) {
    return 0;
  }
  const seconds = Math.floor(time / 1e6);
  const parts = Object.fromEntries(zoneFormat.formatToParts(new Date(seconds * 1000)).map((part) => [part.type, Number(part.value)]));
  const wall = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);
  return Math.round(wall / 1000 - seconds) / 60;
}

// 2019-05-16 01:35:00.123456Z, or with the offset in place of Z; what is no exact number is shown as it came.
function timeText(time) {
  if (typeof time !== "number") {
    return time;
  }
  const offset = zoneOffset(time);
  const local = time + offset * 6e7;
  const seconds = Math.floor(local / 1e6);
  const day = new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
  const micro = String(local - seconds * 1e6).padStart(6, "0");
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  const size = Math.abs(offset);
  const zone = zoneFormat === null ? "Z" : `${offset < 0 ? "-" : "+"}${two(size / 60)}:${two(size % 60)}`;
  return `${day}.${micro}${zone}`;
}

const clockOffsets = new Map(data.clock_offsets); // host -> seconds that its clock is ahead

function clockOffset(host) {
  return clockOffsets.get(host) ?? 0;
}

// The time as it is to be shown and drawn.
function shownTime(time, host) {
  return correctedBox.checked && typeof time === "number" ? time - Math.round(clockOffset(host) * 1e6) : time;
}

function fillTime(node, time, host) {
  const shown = shownTime(time, host);
  node.textContent = timeText(shown);
  node.classList.toggle("is-corrected", shown !== time);
  if (shown === time) {
    node.removeAttribute("title");
  } else {
    node.title = `as logged: ${timeText(time)}; this clock is ${Math.abs(clockOffset(host))} s ${clockOffset(host) > 0 ? "ahead" : "behind"}`;
  }
}

function timeNode(time, host = null) {
  if (time === null) {
    return unknown();
  }
  const node = element("time", { class: "time", "data-time": String(time) });
  if (clockOffsets.has(host)) {
    node.dataset.clock = String([...clockOffsets.keys()].indexOf(host));
  }
  fillTime(node, time, host);
  return node;
}

// Every time on the page, those that came without script included.
function refillTimes() {
  for (const node of document.querySelectorAll("time[data-time]")) {
    const number = Number(node.dataset.time);
    fillTime(node, Number.isNaN(number) ? node.dataset.time : number, node.dataset.clock === undefined ? null : data.clock_offsets[Number(node.dataset.clock)][0]);
  }
  for (const node of document.querySelectorAll(".zone-name")) {
    node.textContent = zoneSelect.value + (correctedBox.checked ? ", clocks corrected" : "");
  }
}

function duration(microseconds) {
  const seconds = Math.round(microseconds / 1e6);
  if (seconds < 120) {
    return count(seconds, "second");
  }
  return seconds < 7200 ? count(Math.round(seconds / 60), "minute") : `${(seconds / 3600).toFixed(1)} hours`;
}
