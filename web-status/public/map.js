// Zooming and moving the map. Its size is kept in a style sheet of the page's own, not in the map: updates, which replace what
// differs, leave it alone.

const SMALLEST = 0.2;
const LARGEST = 3;
const STEP = 1.25;
/** Names can be read. */
const READABLE = 0.7;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);
let scale = 1;
/** Where pointers are that press on the map, by their id. */
const pressed = new Map();
let wasDragged = false;
/** The reader has chosen what he sees of it. */
let isChosen = false;

const scroller = () => document.querySelector("#map-scroll");
const drawing = () => document.querySelector("#map-svg");

/** What is at (x, y) of the window, or in the middle of the map, stays there. */
function zoom(to, x, y) {
  const view = scroller();
  const svg = drawing();
  const box = view.getBoundingClientRect();
  const at = { x: x ?? box.left + box.width / 2, y: y ?? box.top + box.height / 2 };
  const before = svg.getBoundingClientRect();
  const grows = Math.min(LARGEST, Math.max(SMALLEST, to)) / scale;
  scale *= grows;
  sheet.replaceSync(`#map-svg { zoom: ${scale}; }`);
  const after = svg.getBoundingClientRect();
  view.scrollBy(after.left + (at.x - before.left) * grows - at.x, after.top + (at.y - before.top) * grows - at.y);
}

/** All of it is in view, unless its names could not be read then. */
function fit(least = SMALLEST) {
  const { width, height } = drawing().viewBox.baseVal;
  const view = scroller();
  const whole = Math.min(view.clientWidth / width, parseFloat(getComputedStyle(view).maxHeight) / height);
  zoom(Math.min(1, Math.max(least, whole)));
  view.scrollTo(0, 0);
}

const CHANGES = { in: () => zoom(scale * STEP), out: () => zoom(scale / STEP), reset: () => zoom(1), fit: () => fit() };
const KEYS = { "+": "in", "=": "in", "-": "out", 0: "reset" };

function choose(change) {
  if (!change) return;
  isChosen = true;
  CHANGES[change]();
}

document.addEventListener("click", (event) => {
  if (wasDragged && event.target.closest("#map-scroll")) event.preventDefault();
  wasDragged = false;
  choose(event.target.closest("[data-zoom]")?.dataset.zoom);
});

document.addEventListener("keydown", (event) => {
  if (!event.target.closest(".map-wide") || event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  if (!arrow && !KEYS[event.key]) return;
  event.preventDefault();
  isChosen = true;
  choose(KEYS[event.key]);
  if (arrow) scroller().scrollBy({ left: arrow[0] * 80, top: arrow[1] * 80 });
});

/** As browsers have it, a pinch on a touchpad is a wheel with Ctrl; the wheel alone scrolls. */
document.addEventListener(
  "wheel",
  (event) => {
    if (!event.target.closest("#map-scroll")) return;
    isChosen = true;
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(scale * Math.exp(-event.deltaY / 200), event.clientX, event.clientY);
  },
  { passive: false },
);

document.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || !event.target.closest("#map-scroll")) return;
  pressed.set(event.pointerId, { x: event.clientX, y: event.clientY });
  isChosen = true;
  wasDragged = false;
});

document.addEventListener("pointermove", (event) => {
  const from = pressed.get(event.pointerId);
  if (!from) return;
  const to = { x: event.clientX, y: event.clientY };
  if (pressed.size === 2) pinch(event.pointerId, from, to);
  else if (event.pointerType === "mouse" && !drag(from, to)) return;
  pressed.set(event.pointerId, to);
});

/** A finger scrolls by itself. A few pixels are no drag: whoever clicks on a stop may tremble. */
function drag(from, to) {
  if (!wasDragged && Math.hypot(to.x - from.x, to.y - from.y) < 4) return false;
  wasDragged = true;
  scroller().classList.add("dragged");
  scroller().scrollBy(from.x - to.x, from.y - to.y);
  return true;
}

function pinch(id, from, to) {
  const other = [...pressed].find(([pointer]) => pointer !== id)[1];
  const apart = (at) => Math.max(1, Math.hypot(at.x - other.x, at.y - other.y));
  zoom((scale * apart(to)) / apart(from), (to.x + other.x) / 2, (to.y + other.y) / 2);
}

for (const end of ["pointerup", "pointercancel"])
  document.addEventListener(end, (event) => {
    pressed.delete(event.pointerId);
    scroller()?.classList.remove("dragged");
  });

document.addEventListener("dragstart", (event) => {
  if (event.target.closest?.("#map-scroll")) event.preventDefault();
});

/** The beginning of a map that is larger than its room: a stop that needs attention, or else one where messages begin. */
function show() {
  const view = scroller();
  if (isChosen || !view?.clientWidth) return;
  fit(READABLE);
  const first = view.querySelector(".at-down, .at-held, .at-failing") ?? view.querySelector(".station");
  const [at, room] = [first.getBoundingClientRect(), view.getBoundingClientRect()];
  const isSeen = at.right <= room.right && at.bottom <= room.bottom;
  if (!isSeen) view.scrollBy(at.left - room.left - room.width / 3, at.top - room.top - room.height / 3);
}

show();
// It is laid out anew.
new MutationObserver(show).observe(document.querySelector("#main"), { subtree: true, attributeFilter: ["viewBox"] });
