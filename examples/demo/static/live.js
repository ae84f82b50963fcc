import { listen, onSubmit, part } from "./kit.js";

const KEPT = 60;
const section = part("live");
const samples = [];
const SVG = "http://www.w3.org/2000/svg";
const shown = {
  rate: (value) => value.toFixed(value < 100 ? 1 : 0),
  mean: (value) => `${value.toFixed(1)} ms`,
  slow: (value) => `${value.toFixed(1)} ms`,
  total: (value) => value.toLocaleString("en"),
};

function figures(sample) {
  for (const place of section.querySelectorAll("[data-figure]")) {
    const name = place.dataset.figure;
    place.textContent = sample[name] === null ? "–" : shown[name](sample[name]);
  }
}

/** A line of a chart; the newest sample is at its right. A moment without requests is a gap. */
function line(name, most) {
  let drawn = "";
  let isOn = false;
  samples.forEach((sample, at) => {
    if (sample[name] === null) {
      isOn = false;
      return;
    }
    const x = 300 - ((samples.length - 1 - at) * 300) / (KEPT - 1);
    const y = 86 - (sample[name] / most) * 80;
    drawn += `${isOn ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}${isOn ? "" : "h.01"}`;
    isOn = true;
  });
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", `line ${name}`);
  path.setAttribute("d", drawn);
  return path;
}

function draw(chart) {
  const names = chart.dataset.chart.split(" ");
  const largest = names.at(-1);
  const most = Math.max(1, ...samples.flatMap((sample) => names.map((name) => sample[name] ?? 0)));
  chart.replaceChildren(...names.map((name) => line(name, most)));
  section.querySelector(`[data-most="${largest}"]`).textContent = `up to ${shown[largest](most)}`;
}

listen("/live", {
  message({ data }) {
    samples.push(JSON.parse(data));
    samples.splice(0, samples.length - KEPT);
    figures(samples.at(-1));
    section.querySelectorAll("svg").forEach(draw);
  },
});

onSubmit(section.querySelector("form"), async () => {
  const status = section.querySelector("form [role=status]");
  const began = performance.now();
  const send = async () => {
    for (let number = 0; number < 100; number++) await fetch(`/hello/${number}`);
  };
  status.textContent = "sending";
  await Promise.all([send(), send(), send()]);
  status.textContent = `300 answers in ${((performance.now() - began) / 1000).toFixed(2)} s`;
});
