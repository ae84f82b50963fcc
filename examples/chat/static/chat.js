const room = "/rooms/lobby";
const log = document.getElementById("log");
const state = document.getElementById("state");
const form = document.querySelector("form");

function show({ name, text }) {
  const line = document.createElement("p");
  const who = document.createElement("b");
  who.textContent = name;
  line.append(who, " ", text);
  log.append(line);
  log.scrollTop = log.scrollHeight;
}

function byEvents() {
  const listen = () => {
    const events = new EventSource(`${room}/events`);
    events.addEventListener("open", () => (state.textContent = "connected by event stream"));
    events.addEventListener("error", () => (state.textContent = "connecting again"));
    events.addEventListener("message", ({ data }) => show(JSON.parse(data)));
    // Browsers keep pages that were left, and open few connections to a host.
    addEventListener("pagehide", () => events.close(), { once: true });
  };
  listen();
  addEventListener("pageshow", ({ persisted }) => persisted && listen());
  const headers = { "content-type": "application/json" };
  return (message) => fetch(room, { method: "POST", headers, body: JSON.stringify(message) });
}

function bySocket() {
  let socket;
  const connect = () => {
    socket = new WebSocket(`${location.origin.replace("http", "ws")}${room}/socket`);
    socket.addEventListener("open", () => (state.textContent = "connected by WebSocket"));
    socket.addEventListener("message", ({ data }) => show(JSON.parse(data)));
    socket.addEventListener("close", () => {
      state.textContent = "connecting again";
      setTimeout(connect, 1000);
    });
  };
  connect();
  return (message) => socket.send(JSON.stringify(message));
}

const send = location.search === "?events" ? byEvents() : bySocket();
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send(Object.fromEntries(new FormData(form)));
  form.elements.text.value = "";
});
