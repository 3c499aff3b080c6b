// Keeps a view new while it is seen. The server sends the same HTML as it wrote at first; only what differs is changed, so that
// focus, selection, scroll, what is typed and what is unfolded stay.
import { Idiomorph } from "./vendor/idiomorph.js";
import "./map.js";

const main = document.querySelector("#main");
const connection = document.querySelector("#connection");
const RETRY_MS = 1_000;
/** The server sends something every second, or every three when Redis hangs. */
const SILENT_MS = 8_000;
const STATES = {
  connecting: "Connecting…",
  live: "Live",
  waiting: "Waiting for numbers…",
  lost: "No connection to the status page, trying again…",
  refused: "You may not see this any more: reload the page",
};
/** What is the reader's own, and not the server's to change. */
const OWN = new Set(["open", "value", "checked"]);

let source;
let timer;

function say(state) {
  if (connection.dataset.state === state) return;
  connection.dataset.state = state;
  connection.textContent = STATES[state];
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = undefined;
}

function open() {
  close();
  source = new EventSource(location.href);
  source.addEventListener("update", (event) => {
    show(JSON.parse(event.data));
    alive();
  });
  source.addEventListener("unchanged", alive);
  source.addEventListener("again", open);
  source.addEventListener("error", lost);
  timer = setTimeout(lost, SILENT_MS);
}

function alive() {
  say(main.querySelector(".banner, [data-status]") ? "waiting" : "live");
  clearTimeout(timer);
  timer = setTimeout(lost, SILENT_MS);
}

function lost() {
  say("lost");
  close();
  timer = setTimeout(openIfAllowed, RETRY_MS * (1 + Math.random()));
}

/** An event source does not tell why it was refused: a session may have ended. */
async function openIfAllowed() {
  const { status } = await fetch(location.href, { method: "HEAD" }).catch(() => ({ status: 0 }));
  if (status === 401 || status === 403) say("refused");
  else open();
}

function show(html) {
  Idiomorph.morph(main, html, {
    morphStyle: "innerHTML",
    ignoreActiveValue: true,
    callbacks: {
      beforeAttributeUpdated: (name, element) =>
        !(OWN.has(name) && element.matches("details, input:not([type=hidden]), textarea, select")),
      // A chart is drawn here, not by the server.
      beforeNodeMorphed: (before) => !(before instanceof Element && before.matches(".chart > *")),
      beforeNodeRemoved: (node) => !(node instanceof Element && node.parentElement?.matches(".chart")),
    },
  });
  void drawCharts();
}

/** What draws is fetched where there is something to draw. */
async function drawCharts() {
  if (!main.querySelector(".chart")) return;
  const charts = await import("./charts.js");
  charts.drawCharts(main);
}

function openWhileInView() {
  if (document.visibilityState === "hidden") close();
  else open();
}

void drawCharts();
if (main.dataset.live === "on") {
  say("connecting");
  document.addEventListener("visibilitychange", openWhileInView);
  openWhileInView();
}
