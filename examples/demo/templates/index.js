"use strict";

const part = (id) => document.getElementById(id);

/** An element with a class and text or children; text never becomes markup. */
function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Call `action(fields)` when the form of a part is submitted, and keep its button off meanwhile. */
function onSubmit(id, action) {
  const form = part(id).querySelector("form");
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await action(Object.fromEntries(new FormData(form)), form);
    } catch (error) {
      show(id, "bad", "The server cannot be reached", String(error));
    } finally {
      button.disabled = false;
    }
  });
  return form;
}

function show(id, className, status, ...body) {
  const request = element("div", "request " + className, status);
  part(id).querySelector("output").replaceChildren(request, element("div", "body", ...body));
}

/** Send a request, show what came back in the part's output, and give its text. */
async function request(id, path, options = {}) {
  const answer = await fetch(path, { headers: { accept: "application/json" }, ...options });
  const text = await answer.text();
  const line = `${options.method || "GET"} ${path} → ${answer.status}`;
  show(id, answer.ok ? "good" : "bad", line, pretty(text));
  return { ok: answer.ok, text };
}

/** JSON with a line for each member, but the inner objects on one line. */
function pretty(text) {
  try {
    const lines = JSON.stringify(JSON.parse(text), null, 2);
    return lines.replace(/(?<=: )\{[^{}]+\}/g, (object) => object.replace(/\n\s*/g, " "));
  } catch {
    return text;
  }
}

// A plain function

const hello = onSubmit("hello", async ({ name, greeting }) => {
  await request("hello", `/hello/${encodeURIComponent(name)}?${new URLSearchParams({ greeting })}`);
});

// Three tasks at once

function bar(className, name, began, ended, scale) {
  const span = element("span", "");
  span.style.left = `${(began / scale) * 100}%`;
  span.style.width = `${((ended - began) / scale) * 100}%`;
  const time = `${Math.round(ended - began)} ms`;
  return element("div", `bar ${className}`, name, element("div", "track", span), element("span", "", time));
}

const three = onSubmit("three", async () => {
  const { ok, text } = await request("three", "/three");
  if (!ok) return;
  const { total, ...tasks } = JSON.parse(text);
  const sum = Object.values(tasks).reduce((all, { began, ended }) => all + ended - began, 0);
  const scale = Math.max(total, sum);
  const bars = Object.entries(tasks).map(([name, { began, ended }]) => bar("", name, began, ended, scale));
  bars.push(bar("total", "together", 0, total, scale), bar("sum", "in turn", 0, sum, scale));
  part("three").querySelector(".chart").replaceChildren(...bars);
});

// A JSON API

const temperature = onSubmit("temperature", async ({ query }) => {
  await request("temperature", `/temperature${query ? "?" + query : ""}`);
});

for (const chip of part("temperature").querySelectorAll(".chips button")) {
  chip.addEventListener("click", () => {
    temperature.elements.query.value = chip.dataset.query ?? chip.textContent;
    temperature.requestSubmit();
  });
}

// A WebSocket

let socket = null;

function logMessage(direction, text) {
  const log = part("echo").querySelector(".log");
  log.append(element("li", "", element("span", "", direction), text));
  log.scrollTop = log.scrollHeight;
}

/** The open socket; a new one if the server has closed the last, as it does after a quiet minute. */
function connected() {
  if (socket?.readyState === WebSocket.OPEN) return Promise.resolve(socket);
  const state = part("echo").querySelector(".state");
  const opening = new WebSocket(location.origin.replace("http", "ws") + "/echo");
  socket = opening;
  state.textContent = "connecting";
  opening.addEventListener("message", ({ data }) => logMessage("server", data));
  return new Promise((resolve, reject) => {
    opening.addEventListener("open", () => {
      state.textContent = "connected";
      resolve(opening);
    });
    opening.addEventListener("close", () => {
      state.textContent = "not connected; it will be when you send";
      reject(new Error("the socket was closed"));
    });
  });
}

const echo = onSubmit("echo", async ({ message }) => {
  try {
    (await connected()).send(message);
    logMessage("you", message);
  } catch {
    logMessage("page", "The server cannot be reached.");
  }
});

// A guest book

function showEntries(text) {
  const entries = JSON.parse(text).entries.map(({ written, name, text }) => {
    const time = element("time", "", `${name}, ${new Date(written).toLocaleString()}`);
    time.dateTime = written;
    return element("li", "", time, text);
  });
  part("guestbook").querySelector(".entries").replaceChildren(...entries);
}

onSubmit("guestbook", async (fields, form) => {
  const { ok, text } = await request("guestbook", "/guestbook", {
    method: "POST",
    headers: { accept: "application/json", "content-type": "application/json" },
    body: JSON.stringify(fields),
  });
  if (!ok) return;
  part("guestbook").querySelector("output").replaceChildren();
  form.elements.text.value = "";
  showEntries(text);
});

async function loadEntries() {
  const answer = await fetch("/guestbook");
  if (answer.ok) showEntries(await answer.text());
}

// Colours for the code

const TOKEN = new RegExp(
  [
    /(?<comment>#.*)/,
    /(?<string>"""[^]*?"""|f?"(?:\\.|[^"\\\n])*")/,
    /(?<decorator>@[\w.]+)/,
    /(?<keyword>\b(?:as|break|def|except|finally|for|from|if|import|in|isinstance|None|not|or|raise|return|True|try|while|with|yield)\b)/,
  ].map((pattern) => pattern.source).join("|"),
  "g",
);

function colour(code) {
  const text = code.textContent;
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const kind = Object.keys(match.groups).find((name) => match.groups[name] !== undefined);
    pieces.push(text.slice(end, match.index), element("span", kind, match[0]));
    end = match.index + match[0].length;
  }
  code.replaceChildren(...pieces, text.slice(end));
}

document.querySelectorAll("code").forEach(colour);
for (const form of [hello, three, temperature, echo]) form.requestSubmit();
loadEntries().catch(() => {});
