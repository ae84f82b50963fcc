import { element, listen, onSubmit, part } from "./kit.js";

const windows = Object.fromEntries(
  [...part("chat").querySelectorAll("[data-way]")].map((found) => [found.dataset.way, found]),
);

function say(way, text) {
  windows[way].querySelector("[role=status]").textContent = text;
}

function show(way, { name, text }) {
  const log = windows[way].querySelector(".log");
  log.append(element("p", "", element("b", "", name), " ", text));
  log.scrollTop = log.scrollHeight;
}

/** By WebSocket: one connection for both directions. */
let socket;
function connect() {
  socket = new WebSocket(`${location.origin.replace("http", "ws")}/chat/socket`);
  socket.addEventListener("open", () => say("socket", "WebSocket"));
  socket.addEventListener("message", ({ data }) => show("socket", JSON.parse(data)));
  socket.addEventListener("close", () => {
    say("socket", "connecting again");
    setTimeout(connect, 1000);
  });
}
connect();
onSubmit(windows.socket.querySelector("form"), ({ text }, form) => {
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ name: "Ada", text }));
  form.elements.text.value = "";
});

/** By event stream: requests to speak, and a stream to listen. */
listen("/chat/events", {
  open: () => say("events", "event stream"),
  error: () => say("events", "connecting again"),
  message: ({ data }) => show("events", JSON.parse(data)),
});
onSubmit(windows.events.querySelector("form"), async ({ text }, form) => {
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/chat", { method: "POST", headers, body: JSON.stringify({ name: "Grace", text }) });
  if (answer.ok) form.elements.text.value = "";
});
