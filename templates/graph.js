// The graph of hops: a host, an account's way or a chain lights up with all that belongs to it.

const graph = document.getElementById("graph");
let pinned = null; // the button or host that stays lit

function chainsOf(edges) {
  const lit = new Set(edges);
  for (const path of data.graph.paths) {
    if (path.some((edge) => edges.includes(edge))) {
      path.forEach((edge) => lit.add(edge));
    }
  }
  return lit;
}

function light(edges) {
  graph.classList.toggle("is-lit", edges !== null);
  const nodes = new Set();
  for (const edge of graph.querySelectorAll(".edge")) {
    const number = Number(edge.dataset.edge);
    const isLit = edges !== null && edges.has(number);
    edge.classList.toggle("is-lit", isLit);
    if (isLit) {
      data.graph.edges[number].forEach((node) => nodes.add(node));
    }
  }
  for (const node of graph.querySelectorAll(".node")) {
    node.classList.toggle("is-lit", nodes.has(Number(node.dataset.node)));
  }
}

function edgesOf(thing) {
  if (thing.dataset.path !== undefined) {
    return new Set(data.graph.paths[Number(thing.dataset.path)]);
  }
  if (thing.dataset.edge !== undefined) {
    return chainsOf([Number(thing.dataset.edge)]);
  }
  const own = data.graph.edges.flatMap(([source, target], edge) => (source === Number(thing.dataset.node) || target === Number(thing.dataset.node) ? [edge] : []));
  return chainsOf(own);
}

function pin(thing) {
  if (pinned !== null) {
    pinned.setAttribute("aria-pressed", "false");
  }
  pinned = pinned === thing ? null : thing;
  if (pinned !== null) {
    pinned.setAttribute("aria-pressed", "true");
  }
  light(pinned === null ? null : edgesOf(pinned));
}

function startGraph() {
  if (graph === null) {
    return;
  }
  const buttons = [...document.querySelectorAll(".path-button")];
  buttons.forEach((one) => {
    one.disabled = false;
  });
  for (const thing of [...graph.querySelectorAll(".edge, .node"), ...buttons]) {
    const on = () => light(edgesOf(thing));
    const off = () => light(pinned === null ? null : edgesOf(pinned));
    thing.addEventListener("mouseenter", on);
    thing.addEventListener("mouseleave", off);
    thing.addEventListener("focus", on);
    thing.addEventListener("blur", off);
    if (!thing.classList.contains("edge")) {
      thing.addEventListener("click", () => pin(thing));
      thing.addEventListener("keydown", (event) => {
        if (thing.localName !== "button" && (event.key === "Enter" || event.key === " ")) {
          event.preventDefault();
          pin(thing);
        }
      });
    }
  }
}
