import { onSubmit, part } from "./kit.js";

onSubmit(part("hello").querySelector("form"), async ({ name, greeting }) => {
  const path = `/hello/${encodeURIComponent(name)}?${new URLSearchParams({ greeting })}`;
  const page = new DOMParser().parseFromString(await (await fetch(path)).text(), "text/html");
  part("hello").querySelector("output").textContent = page.querySelector("h1").textContent;
});
