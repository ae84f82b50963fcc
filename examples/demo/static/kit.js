/** What the other scripts share. */

export const part = (id) => document.getElementById(id);

/** An element with a class and text or children; text never becomes markup. */
export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Listen to an event stream, with `handlers` by the name of their event, while the page is shown. Browsers keep
    pages that were left, and open few connections to a host. */
export function listen(url, handlers) {
  const open = () => {
    const events = new EventSource(url);
    for (const [name, handler] of Object.entries(handlers)) events.addEventListener(name, handler);
    addEventListener("pagehide", () => events.close(), { once: true });
  };
  open();
  addEventListener("pageshow", ({ persisted }) => persisted && open());
}

/** Call `action(fields, form)` in place of sending a form, with its button off meanwhile. */
export function onSubmit(form, action) {
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await action(Object.fromEntries(new FormData(form)), form);
    } finally {
      button.disabled = false;
    }
  });
}
