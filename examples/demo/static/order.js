import { onSubmit, part } from "./kit.js";

const done = part("order").querySelector(".done");

onSubmit(part("order").querySelector("form"), async (fields, form) => {
  const body = new URLSearchParams(fields);
  const answer = await fetch("/order", { method: "POST", headers: { accept: "application/json" }, body });
  const result = await answer.json();
  const faults = Object.fromEntries((result.errors ?? []).map(({ at, message }) => [at, message]));
  for (const field of form.querySelectorAll("input, select")) {
    part(`${field.name}-fault`).textContent = faults[field.name] ?? "";
    field.toggleAttribute("aria-invalid", field.name in faults);
    if (field.name in faults) field.setAttribute("aria-invalid", "true");
  }
  form.querySelector("[aria-invalid]")?.focus();
  done.textContent = answer.ok
    ? `A table for ${result.seats} on ${result.day}, ${result.meal}, for ${result.name}.`
    : "";
});
