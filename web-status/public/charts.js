// Draws the series that stand in `data-chart`, and draws them again when they change; without this the table below them is all.
import uPlot from "./vendor/uplot.js";

const drawn = new WeakMap();
const HEIGHT = 180;
const COLOURS = {
  forwarded: "--forwarded",
  arrived: "--arrived",
  dropped: "--dropped",
  dead: "--dead",
  later: "--uncounted",
  first: "--dropped",
  second: "--forwarded",
  third: "--arrived",
  fourth: "--fourth",
  rest: "--uncounted",
  p50: "--arrived",
  p95: "--dropped",
  p99: "--dead",
};

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
/** Hours and minutes, UTC. */
const clock = (seconds) => new Date(seconds * 1_000).toISOString().slice(11, 16);
const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1_000), "Etc/UTC");

export function drawCharts(root) {
  for (const element of root.querySelectorAll(".chart")) draw(element);
}

function draw(element) {
  const json = element.dataset.chart;
  const before = drawn.get(element);
  if (before?.json === json) return;
  const chart = JSON.parse(json);
  const data = [chart.x, ...chart.series.map(({ y }) => y)];
  const shape = chart.series.map(({ kind }) => kind).join();
  if (before?.shape === shape) {
    before.plot.setData(data);
    drawn.set(element, { ...before, json });
    return;
  }
  before?.plot.destroy();
  const plot = new uPlot(options(element, chart), data, element);
  drawn.set(element, { json, shape, plot });
  if (!before) new ResizeObserver(() => fit(element)).observe(element);
}

function fit(element) {
  const { plot } = drawn.get(element);
  if (element.clientWidth > 0 && plot.width !== element.clientWidth)
    plot.setSize({ width: element.clientWidth, height: HEIGHT });
}

function options(element, { series, unit }) {
  const axis = {
    stroke: colour("--soft"),
    grid: { stroke: colour("--track"), width: 1 },
    ticks: { stroke: colour("--track") },
  };
  return {
    width: element.clientWidth || 300,
    height: HEIGHT,
    tzDate: utc,
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    legend: { live: true },
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, size: 32, values: (_, ticks) => ticks.map(clock) },
      { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => `${tick.toLocaleString("en")}`) },
    ],
    series: [
      { label: "UTC", value: (_, at) => (at === null || at === undefined ? "–" : clock(at)) },
      ...series.map(({ label, kind }) => ({
        label,
        stroke: colour(COLOURS[kind]),
        width: 2,
        spanGaps: false,
        points: { show: true, size: 5, filter: lonely },
        value: (_, value) => (value === null || value === undefined ? "–" : `${value.toLocaleString("en")} ${unit}`),
      })),
    ],
  };
}

/** Points with nothing beside them, through which no line goes. */
function lonely(plot, series) {
  const y = plot.data[series];
  const isThere = (at) => y[at] !== null && y[at] !== undefined;
  return [...y.keys()].filter((at) => isThere(at) && !isThere(at - 1) && !isThere(at + 1));
}

/** Colours are those of the theme. */
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const element of document.querySelectorAll(".chart")) {
    drawn.get(element)?.plot.destroy();
    drawn.delete(element);
    draw(element);
  }
});
