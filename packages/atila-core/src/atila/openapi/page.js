"use strict";
// In a file of its own, since the page's policy allows no inline script.
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
