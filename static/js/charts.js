// Draws a page's figures from the JSON that the server built with Plotly for Python. Colours in it are
// CSS variables; they are resolved here, so charts follow the theme. A figure is drawn when it comes near.
const CONFIG = { displayModeBar: false, responsive: true, displaylogo: false };
const MARGIN = "300px";
let loading;

// Plotly writes style rules into the page unless an element of this name forbids it (the policy would);
// static/css/components.css holds the few that are needed.
const forbidStyles = () => {
  const mark = document.createElement("meta");
  mark.id = "plotly.js-style-global";
  mark.className = "no-inline-styles";
  document.head.append(mark);
};

const load = (address) => {
  loading ??= new Promise((resolve, reject) => {
    forbidStyles();
    const script = document.createElement("script");
    script.src = address;
    script.addEventListener("load", () => resolve(globalThis.Plotly));
    script.addEventListener("error", reject);
    document.head.append(script);
  });
  return loading;
};

// A probe resolves a variable, and light-dark() within it, to the colour that is really in use.
const palette = () => {
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);
  const known = new Map();
  const colour = (name) => {
    if (!known.has(name)) {
      probe.style.color = name;
      known.set(name, getComputedStyle(probe).color);
    }
    return known.get(name);
  };
  return { colour, close: () => probe.remove() };
};

const coloured = (value, colour) => {
  if (typeof value === "string") return value.startsWith("var(--") ? colour(value) : value;
  if (Array.isArray(value)) return value.map((one) => coloured(one, colour));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, coloured(one, colour)]));
};

const draw = async (figure) => {
  const plotly = await load(figure.dataset.plotly);
  const canvas = figure.querySelector("[data-figure-canvas]");
  if (!canvas.isConnected) return;
  const { colour, close } = palette();
  const spec = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
  const { data, layout } = coloured(spec, colour);
  close();
  layout.font.family = getComputedStyle(document.body).fontFamily;
  await plotly.react(canvas, data, layout, CONFIG);
  figure.dataset.drawn = "";
};

const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) {
      near.unobserve(target);
      draw(target);
    }
  }
}, { rootMargin: MARGIN });

const watchAll = () => document.querySelectorAll("[data-figure]:not([data-drawn])").forEach((one) => near.observe(one));

watchAll();
document.addEventListener("htmx:afterSettle", watchAll);
document.documentElement.addEventListener("themechange", () => document.querySelectorAll("[data-drawn]").forEach(draw));
addEventListener("beforeprint", () => document.querySelectorAll("[data-figure]:not([data-drawn])").forEach(draw));
