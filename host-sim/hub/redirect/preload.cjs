// Loaded with `node --require` into clients of `spherule exec`: leads the real host names and ports to
// the lab. Only where a socket goes is changed; server name and certificate checks keep the real name.
const net = require("node:net");

let text = "";
let redirects = {};
const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function redirected(...args) {
  // Node's own callers pass [options, callback] as one array that was normalised before.
  const normalised = Array.isArray(args[0]) ? args[0] : undefined;
  const given = normalised ? normalised[0] : args[0];
  const options =
    typeof given === "object" && given !== null ? given : { port: args[0], host: args[1] };
  const target = currentRedirects()[`${String(options.host).toLowerCase()}:${options.port}`];
  if (target === undefined) return connect.apply(this, args);
  const at = target.lastIndexOf(":");
  const elsewhere = { ...options, host: target.slice(0, at), port: Number(target.slice(at + 1)) };
  if (normalised) {
    const copy = [elsewhere, ...normalised.slice(1)];
    for (const symbol of Object.getOwnPropertySymbols(normalised)) {
      copy[symbol] = normalised[symbol];
    }
    return connect.call(this, copy);
  }
  const callback = args.find((arg) => typeof arg === "function");
  return callback ? connect.call(this, elsewhere, callback) : connect.call(this, elsewhere);
};

function currentRedirects() {
  if (process.env.SPHERULE_REDIRECTS !== text) {
    text = process.env.SPHERULE_REDIRECTS;
    redirects = JSON.parse(text ?? "{}");
  }
  return redirects;
}
