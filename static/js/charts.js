// Draws the figures of a page from their JSON. Colours come from CSS, so charts follow the theme.
const loading = new Map();

// Plotly writes style rules into the page unless an element of this name forbids it (the policy would);
// static/css/components.css holds the few that are needed.
const forbidStyles = () => {
  const mark = document.createElement("meta");
  mark.id = "plotly.js-style-global";
  mark.className = "no-inline-styles";
  document.head.append(mark);
};

const load = (address) => {
  if (!loading.has(address)) {
    forbidStyles();
    loading.set(address, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address;
      script.addEventListener("load", () => resolve(globalThis.Plotly));
      script.addEventListener("error", reject);
      document.head.append(script);
    }));
  }
  return loading.get(address);
};

// A probe resolves light-dark() to the colour that is really in use.
const colour = (name) => {
  const probe = document.createElement("i");
  probe.className = `probe-${name}`;
  probe.hidden = true;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
};

const numbers = (values) => values.map((value) => (value === null ? null : Number(value)));

const trace = (spec, series, index) => {
  const shade = colour(series.tone || `chart-${(index % 6) + 1}`);
  const base = { name: series.name, x: spec.x, y: numbers(series.values) };
  const unit = spec.unit ? ` ${spec.unit}` : "";
  base.hovertemplate = `%{x}<br>%{y:,}${unit}<extra>${series.name}</extra>`;
  if (spec.kind === "line") {
    return { ...base, type: "scatter", mode: "lines", line: { color: shade, width: 2.5, shape: series.step ? "hv" : "linear", dash: series.dash || "solid" } };
  }
  return { ...base, type: "bar", marker: { color: shade } };
};

const heat = (spec) => [{
  type: "heatmap",
  x: spec.x,
  y: spec.series.map((series) => series.name),
  z: spec.series.map((series) => numbers(series.values)),
  colorscale: [[0, colour("surface-soft")], [1, colour("chart-1")]],
  showscale: false,
  xgap: 2,
  ygap: 2,
}];

const layout = (spec) => ({
  barmode: spec.kind === "stacked" ? "stack" : "group",
  bargap: 0.35,
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  margin: { l: 8, r: 8, t: 8, b: 8 },
  font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("ink-soft") },
  colorway: [1, 2, 3, 4, 5, 6].map((number) => colour(`chart-${number}`)),
  showlegend: spec.series.length > 1 && spec.kind !== "heatmap",
  legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
  hoverlabel: { bgcolor: colour("surface"), bordercolor: colour("line"), font: { color: colour("ink") } },
  xaxis: { automargin: true, gridcolor: "rgba(0,0,0,0)", linecolor: colour("chart-grid"), fixedrange: true, type: spec.x_type || "category" },
  yaxis: { automargin: true, gridcolor: colour("chart-grid"), zerolinecolor: colour("chart-grid"), fixedrange: true, rangemode: "tozero", title: { text: spec.y_title || "" }, tickformat: "," },
});

const draw = async (figure) => {
  const plotly = await load(figure.dataset.plotly);
  const spec = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
  const traces = spec.kind === "heatmap" ? heat(spec) : spec.series.map((series, index) => trace(spec, series, index));
  const canvas = figure.querySelector("[data-figure-canvas]");
  await plotly.react(canvas, traces, layout(spec), { displayModeBar: false, responsive: true, displaylogo: false });
};

const drawAll = () => document.querySelectorAll("[data-figure]").forEach(draw);

drawAll();
document.documentElement.addEventListener("themechange", drawAll);
document.addEventListener("htmx:afterSettle", drawAll);
