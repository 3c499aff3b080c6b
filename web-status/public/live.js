// Keeps the numbers new while the page is in view. The server sends the same HTML as it wrote at first; only what
// differs is changed, so that focus, selection, scroll and unfolded details stay.
import { Idiomorph } from "/vendor/idiomorph.js";

const numbers = document.querySelector("#numbers");
const connection = document.querySelector("#connection");
const RETRY_MS = 1_000;
/** The server sends something every second, or every three when Redis hangs. */
const SILENT_MS = 8_000;
const STATES = {
  connecting: "Connecting…",
  live: "Live",
  waiting: "Waiting for numbers…",
  lost: "No connection to the status page, trying again…",
};

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
  source = new EventSource("/api/live");
  source.addEventListener("update", (event) => {
    show(JSON.parse(event.data));
    alive();
  });
  source.addEventListener("unchanged", alive);
  source.addEventListener("error", lost);
  timer = setTimeout(lost, SILENT_MS);
}

function alive() {
  say(numbers.querySelector(".banner") ? "waiting" : "live");
  clearTimeout(timer);
  timer = setTimeout(lost, SILENT_MS);
}

function lost() {
  say("lost");
  close();
  timer = setTimeout(open, RETRY_MS * (1 + Math.random()));
}

function show(html) {
  Idiomorph.morph(numbers, html, {
    morphStyle: "innerHTML",
    callbacks: { beforeAttributeUpdated: (name, element) => !(name === "open" && element.localName === "details") },
  });
}

function openWhileInView() {
  if (document.visibilityState === "hidden") close();
  else open();
}

say("connecting");
document.addEventListener("visibilitychange", openWhileInView);
openWhileInView();
