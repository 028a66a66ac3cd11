// Zoom, pan and the strip that shows all of the time: wheel, buttons, keys, drag, brush.

const strip = document.getElementById("density");
const stage = document.getElementById("timeline-stage");
const LEAST_SPAN = 10000; // microseconds
const whole = data.whole ?? data.axis;
const zoomListeners = [];
let frame = 0;
let density = null; // lines and worst level per pixel of the strip

function redraw() {
  if (frame === 0 && picture !== null) {
    frame = requestAnimationFrame(() => {
      frame = 0;
      drawPicture();
      drawStrip();
    });
  }
}

function setView(start, end) {
  if (view === null) {
    return;
  }
  const span = Math.min(Math.max(end - start, LEAST_SPAN), whole[1] - whole[0]);
  const first = Math.min(Math.max(start, whole[0]), whole[1] - span);
  view = [Math.round(first), Math.round(first + span)];
  const isFirstView = view[0] === data.axis[0] && view[1] === data.axis[1];
  setState({ from: isFirstView ? "" : String(view[0]), to: isFirstView ? "" : String(view[1]) });
  redraw();
  zoomListeners.forEach((listener) => listener());
}

function zoomBy(factor, share = 0.5) {
  const span = (view[1] - view[0]) * factor;
  const middle = view[0] + (view[1] - view[0]) * share;
  setView(middle - span * share, middle + span * (1 - share));
}

function panBy(share) {
  const step = (view[1] - view[0]) * share;
  setView(view[0] + step, view[1] + step);
}

function viewFromState() {
  const [from, to] = [Number(state.from), Number(state.to)];
  const isGiven = state.from !== "" && state.to !== "" && Number.isFinite(from) && Number.isFinite(to) && to > from;
  const next = isGiven ? [from, to] : data.axis;
  if (view !== null && (next[0] !== view[0] || next[1] !== view[1])) {
    setView(...next);
  }
}

function measureDensity(width) {
  const counts = new Uint32Array(width);
  const worst = new Uint8Array(width);
  const rank = { critical: 5, high: 4, medium: 3, low: 2, informational: 1 };
  for (let line = 0; line < lines.length; line += 1) {
    const time = lineTime(line);
    const place = typeof time === "number" ? Math.floor(((time - whole[0]) / (whole[1] - whole[0])) * width) : -1;
    if (place >= 0 && place < width) {
      counts[place] += 1;
      const level = lineLevel(line);
      worst[place] = Math.max(worst[place], level === null ? 0 : rank[level]);
    }
  }
  return { width, counts, worst, most: counts.reduce((one, other) => Math.max(one, other), 1) };
}

function drawStrip() {
  const width = Math.floor(strip.getBoundingClientRect().width);
  const height = 48;
  if (width < 10) {
    return;
  }
  const ratio = window.devicePixelRatio || 1;
  if (density === null || density.width !== width) {
    density = measureDensity(width);
  }
  strip.width = width * ratio;
  strip.height = height * ratio;
  const context = strip.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`);
  const names = ["muted", "informational", "low", "medium", "high", "critical"];
  context.scale(ratio, ratio);
  context.fillStyle = colour("card");
  context.fillRect(0, 0, width, height);
  for (let x = 0; x < width; x += 1) {
    if (density.counts[x] > 0) {
      const size = 4 + (height - 12) * (Math.log1p(density.counts[x]) / Math.log1p(density.most));
      context.fillStyle = colour(names[density.worst[x] > 2 ? density.worst[x] : 0]);
      context.globalAlpha = density.worst[x] > 2 ? 1 : 0.55;
      context.fillRect(x, height - size, 1, size);
    }
  }
  const [start, end] = view.map((time) => ((time - whole[0]) / (whole[1] - whole[0])) * width);
  context.globalAlpha = 0.55;
  context.fillStyle = colour("sunken");
  context.fillRect(0, 0, Math.max(0, start), height);
  context.fillRect(Math.min(width, end), 0, width, height);
  context.globalAlpha = 1;
  context.strokeStyle = colour("accent");
  context.lineWidth = 2;
  context.strokeRect(Math.max(1, start), 1, Math.max(3, Math.min(width - 1, end) - Math.max(1, start)), height - 2);
  strip.setAttribute("aria-valuenow", String(Math.round((100 * (view[0] + view[1] - 2 * whole[0])) / (2 * (whole[1] - whole[0])))));
  strip.setAttribute("aria-valuetext", `${timeText(view[0])} to ${timeText(view[1])}`);
}

function stripTime(event) {
  const box = strip.getBoundingClientRect();
  return whole[0] + ((event.clientX - box.left) / box.width) * (whole[1] - whole[0]);
}

function watchStrip() {
  let start = null;
  let grip = null; // where inside the window it was taken, when that is what is dragged
  strip.addEventListener("pointerdown", (event) => {
    const time = stripTime(event);
    const isAll = view[1] - view[0] >= (whole[1] - whole[0]) * 0.98;
    grip = !isAll && time > view[0] && time < view[1] ? time - view[0] : null;
    start = time;
    strip.setPointerCapture(event.pointerId);
  });
  strip.addEventListener("pointermove", (event) => {
    if (start === null) {
      return;
    }
    const time = stripTime(event);
    if (grip !== null) {
      setView(time - grip, time - grip + view[1] - view[0]);
    } else if (Math.abs(time - start) > (whole[1] - whole[0]) / 500) {
      setView(Math.min(start, time), Math.max(start, time));
    }
  });
  const stop = () => {
    start = null;
  };
  strip.addEventListener("pointerup", stop);
  strip.addEventListener("pointercancel", stop);
}

function watchPicture() {
  let drag = null;
  picture.addEventListener("wheel", (event) => {
    // Without focus or Ctrl the wheel scrolls the page, as a reader expects.
    if (event.ctrlKey || event.metaKey || stage.contains(document.activeElement)) {
      event.preventDefault();
      const box = picture.getBoundingClientRect();
      zoomBy(event.deltaY > 0 ? 1.25 : 0.8, (event.clientX - box.left) / box.width);
    }
  }, { passive: false });
  picture.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && event.target.closest("a") === null) {
      drag = { x: event.clientX, view: [...view] };
      stage.focus({ preventScroll: true });
      picture.setPointerCapture(event.pointerId);
    }
  });
  picture.addEventListener("pointermove", (event) => {
    if (drag !== null) {
      const step = ((drag.x - event.clientX) / pictureWidth) * (drag.view[1] - drag.view[0]);
      setView(drag.view[0] + step, drag.view[1] + step);
    }
  });
  const stop = () => {
    drag = null;
  };
  picture.addEventListener("pointerup", stop);
  picture.addEventListener("pointercancel", stop);
}

const KEYS = {
  "+": () => zoomBy(0.5), "=": () => zoomBy(0.5), "-": () => zoomBy(2), 0: () => setView(...data.axis),
  ArrowLeft: () => panBy(-0.2), ArrowRight: () => panBy(0.2),
};

function onZoomKey(event) {
  if (Object.hasOwn(KEYS, event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    KEYS[event.key]();
  }
}

function startZoom() {
  if (picture === null || view === null) {
    return;
  }
  for (const [id, act] of [
    ["zoom-in", () => zoomBy(0.5)], ["zoom-out", () => zoomBy(2)], ["zoom-left", () => panBy(-0.5)], ["zoom-right", () => panBy(0.5)],
    ["zoom-reset", () => setView(...data.axis)], ["zoom-whole", () => setView(...whole)],
  ]) {
    document.getElementById(id).addEventListener("click", act);
  }
  document.getElementById("zoom-tools").hidden = false;
  document.getElementById("density-box").hidden = false;
  stage.addEventListener("keydown", onZoomKey);
  strip.addEventListener("keydown", onZoomKey);
  watchStrip();
  watchPicture();
  new ResizeObserver(redraw).observe(picture);
}
