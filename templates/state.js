// What is shown, in the address: #place?tz=...&from=...; a copied address shows the same.

const DEFAULTS = {
  tz: data.zone, clocks: "", from: "", to: "", host: "", user: "", channel: "", level: "", tactic: "", kind: "", q: "", window: "", row: "",
};
const state = { ...DEFAULTS };
let place = "";
const stateListeners = [];

function readAddress() {
  const [name, query] = location.hash.slice(1).split("?");
  place = name;
  if (query !== undefined) {
    const given = new URLSearchParams(query);
    for (const key of Object.keys(DEFAULTS)) {
      state[key] = given.get(key) ?? DEFAULTS[key];
    }
  }
}

function address() {
  const changed = Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]);
  return `#${place}${changed.length > 0 ? `?${new URLSearchParams(changed)}` : ""}`;
}

let addressTimer = 0;

// Not at once: browsers refuse more than some hundred changes in half a minute.
function saveAddress() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => history.replaceState(null, "", address()), 150);
}

function setState(changes) {
  Object.assign(state, changes);
  saveAddress();
}

function setPlace(name) {
  place = name;
  clearTimeout(addressTimer);
  history.replaceState(null, "", address());
}

// Goes there as a click on a link would, so that Back returns.
function goTo(name) {
  place = name;
  location.hash = address();
}
