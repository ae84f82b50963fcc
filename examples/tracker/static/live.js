/** Shows what others change while this page is open. An event says that there is something new; then the page
    is read again, and its parts that have changed take the place of those here. What is being typed stays. */

const { updates, page } = document.querySelector("main").dataset;

async function refresh() {
  const answer = await fetch(page);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of fresh.querySelectorAll("[data-live]")) {
    const shown = document.getElementById(part.id);
    if (!shown) document.getElementById(part.parentElement.id)?.append(part);
    else if (part.dataset.live === "replace" && part.innerHTML !== shown.innerHTML) shown.replaceWith(part);
  }
}

let last = Promise.resolve();
const refreshNext = () => (last = last.then(refresh).catch(() => {}));

function listen() {
  const events = new EventSource(updates);
  events.addEventListener("open", refreshNext); // What changed while nobody listened.
  events.addEventListener("message", refreshNext);
  // Browsers keep pages that were left, and open few connections to a host.
  addEventListener("pagehide", () => events.close(), { once: true });
}

if (updates) {
  listen();
  addEventListener("pageshow", ({ persisted }) => persisted && listen());
}
