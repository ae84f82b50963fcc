"use strict";
// In a file of its own, since the page's policy allows no inline script.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

SwaggerUIBundle({
  url: document.getElementById("operations").dataset.document,
  dom_id: "#operations",
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  showMutatedRequest: false,
  // The validator is another host's.
  validatorUrl: null,
});
