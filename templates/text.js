// Ways to put log text into the page. Text only ever gets in as text nodes.

const SVG = "http://www.w3.org/2000/svg";
const LEVEL_NAMES = {
  critical: "Critical", high: "High", medium: "Medium", low: "Low", informational: "Informational",
};

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function svgElement(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function shape(level) {
  return svgElement("svg", { class: "shape", viewBox: "-10 -10 20 20", "aria-hidden": "true" },
    svgElement("use", { href: `#shape-${level}`, class: `level-${level}` }));
}

function button(text, attributes, onClick) {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", onClick);
  return made;
}

function count(number, noun) {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}

function unknown() {
  return element("span", { class: "unknown", title: "not known" }, "—");
}

const MOST_MARKED_PIECES = 2000;
const ANY_HIDDEN = new RegExp(data.hidden_pattern, "u");
const ALL_HIDDEN = new RegExp(data.hidden_pattern, "gu");

function codePoint(character) {
  const number = character.codePointAt(0);
  if (number < 0x100) {
    return `\\x${number.toString(16).padStart(2, "0")}`;
  }
  return number < 0x10000 ? `\\u${number.toString(16).padStart(4, "0")}` : `\\U${number.toString(16).padStart(8, "0")}`;
}

// Hidden characters (control, bidirectional, zero-width, lone surrogates) become escapes that stand out.
function visible(text, name = "value") {
  const span = element("span", { class: name });
  if (!ANY_HIDDEN.test(text)) {
    span.append(text);
    return span;
  }
  const pieces = [];
  let position = 0;
  let marked = 0;
  for (const match of text.matchAll(ALL_HIDDEN)) {
    pieces.push([text.slice(position, match.index), false], [codePoint(match[0]), true]);
    position = match.index + match[0].length;
    marked += 1;
  }
  pieces.push([text.slice(position), false]);
  if (marked > MOST_MARKED_PIECES) {
    span.append(pieces.map(([piece]) => piece).join(""));
    return span;
  }
  for (const [piece, isHidden] of pieces) {
    if (piece !== "") {
      span.append(isHidden ? element("span", { class: "hidden-character" }, piece) : piece);
    }
  }
  return span;
}

// At most `limit` UTF-16 units, and never half of a character.
function cut(text, limit) {
  if (text.length <= limit) {
    return text;
  }
  const end = /[\uD800-\uDBFF]/.test(text[limit - 2]) ? limit - 2 : limit - 1;
  return `${text.slice(0, end)}…`;
}

function label(text, limit = 80) {
  return text === null || text === "" ? unknown() : visible(cut(text, limit).replace(/\s+/g, " "));
}

// The same without markup, for attributes and SVG text.
function plain(text, limit = 80) {
  return text === null || text === "" ? "—" : visible(cut(text, limit).replace(/\s+/g, " ")).textContent;
}

// The whole text; what is beyond `limit` is folded, and put into the page when it is unfolded.
function show(value, limit = 600) {
  if (value === null || value === undefined || value === "") {
    return unknown();
  }
  const text = String(value);
  if (text.length <= limit) {
    return visible(text);
  }
  const summary = element("summary", {}, `show all (${count(text.length, "character")})`);
  const fold = element("details", { class: "fold" }, summary);
  whenOpened(fold, () => fold.append(element("div", { class: "folded", tabindex: "0" }, visible(text))));
  const whole = document.createDocumentFragment();
  whole.append(visible(cut(text, limit)), fold);
  return whole;
}

function confidenceClass(confidence) {
  return `confidence-${["high", "medium", "low"].includes(confidence) ? confidence : "unknown"}`;
}

// Fills a details element the first time that it opens.
function whenOpened(details, fill) {
  details.addEventListener("toggle", () => {
    if (details.open && !details.dataset.filled) {
      details.dataset.filled = "yes";
      fill();
    }
  });
}

// [[term, node, class], ...] as a definition list.
function facts(pairs) {
  return element("dl", { class: "facts" }, ...pairs.map(([term, node, name = "fact"]) => (
    element("div", { class: name }, element("dt", {}, term), element("dd", {}, node))
  )));
}
