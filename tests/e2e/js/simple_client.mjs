// A page of the CRM, as the React hook of its front end does it: signs in over HTTP, connects, subscribes without a cursor.
// Prints a JSON line for everything that happens; obeys a JSON line for each order on standard input.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const [url, email, password] = process.argv.slice(2);
const say = (what, data) => console.log(JSON.stringify({ what, data }));

const response = await fetch(`${url}/auth/login`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ email, password }),
});
const login = await response.json();
say("login", { status: response.status, code: login.code, user: login.user });
if (!response.ok) process.exit(0);

const socket = io(url, {
  transports: ["websocket"],
  reconnection: true,
  reconnectionDelay: 100,
  reconnectionDelayMax: 300,
  auth: { token: login.access_token },
});
socket.on("connect", () => socket.emit("subscribe_notifications", { user_id: login.user.user_id }));
socket.on("connect_error", (error) => say("connect_error", { message: error.message, data: error.data }));
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.onAny((event, data) => say(event, data));

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { event, data } = JSON.parse(line);
    socket.emit(event, data, (answer) => say(`ack ${event}`, answer));
  })
  .on("close", () => socket.disconnect());
