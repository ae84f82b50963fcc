import { element, onSubmit, part } from "./kit.js";

function bar(className, name, began, ended, scale) {
  const span = element("span");
  span.style.left = `${(began / scale) * 100}%`;
  span.style.width = `${((ended - began) / scale) * 100}%`;
  const time = element("span", "time", `${Math.round(ended - began)} ms`);
  return element("div", `bar ${className}`, element("span", "", name), element("div", "track", span), time);
}

const form = part("three").querySelector("form");

onSubmit(form, async () => {
  const { total, ...tasks } = await (await fetch("/three", { headers: { accept: "application/json" } })).json();
  const sum = Object.values(tasks).reduce((all, { began, ended }) => all + ended - began, 0);
  const scale = Math.max(total, sum);
  const bars = Object.entries(tasks).map(([name, { began, ended }]) => bar("", name, began, ended, scale));
  bars.push(bar("total", "together", 0, total, scale), bar("sum", "in turn", 0, sum, scale));
  part("three").querySelector(".gantt").replaceChildren(...bars);
});
form.requestSubmit();
