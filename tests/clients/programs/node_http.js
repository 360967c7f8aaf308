// A client of the harness: the HTTP pool of Node.js (http.Agent with keepAlive), no packages.
//
// pool.size + pool.max_overflow -> maxSockets: connections at once; more requests wait
// pool.size                     -> maxFreeSockets: connections that are kept when idle
// settings.idiomatic            -> a request that met a closed keep-alive connection is sent
//                                  again, as Node's documentation shows (request.reusedSocket)
'use strict';
const http = require('node:http');
const https = require('node:https');
const readline = require('node:readline');

const say = (message) => process.stdout.write(JSON.stringify(message) + '\n');
const calls = new Map(); // id of a call that is under way -> its AbortController
let settings;
let agent;
let isClosed = false;

const operations = {
  hello() {
    say({
      op: 'hello', protocol: 1, name: 'node', runs_on: 'node', serves: ['http'],
      supports: ['size', 'max_overflow', 'tls', 'cancel', 'abandon', 'close_busy'],
      versions: { node: process.versions.node },
    });
  },

  open({ id, settings: words }) {
    settings = words;
    const { size, max_overflow: overflow } = settings.pool;
    const library = settings.tls ? https : http;
    agent = new library.Agent({
      keepAlive: true,
      maxSockets: size + overflow,
      maxFreeSockets: size,
      ca: settings.ca_pem || undefined,
      servername: settings.server_hostname,
    });
    tellDials(agent);
    say({ id, ok: true });
  },

  async call({ id, call }) {
    if (isClosed) {
      say({ id, error: { kind: 'pool_closed', certainty: 'failed', message: 'it is closed' } });
      return;
    }
    const controller = new AbortController();
    calls.set(id, controller);
    const patience = call.timeout_s === null ? undefined
      : setTimeout(() => controller.abort('timeout'), call.timeout_s * 1000);
    try {
      say({ id, reply: await request(call, controller.signal) });
    } catch (error) {
      const reason = controller.signal.aborted ? controller.signal.reason : undefined;
      say(reason === 'cancelled' ? { id, cancelled: true } : { id, error: told(error, reason) });
    } finally {
      clearTimeout(patience);
      calls.delete(id);
    }
  },

  cancel({ id }) {
    if (!calls.has(id)) return; // it has just ended
    say({ event: 'cancelling', id });
    calls.get(id).abort('cancelled');
  },

  close({ id }) {
    isClosed = true; // or the agent would connect for the next call
    for (const controller of calls.values()) controller.abort('pool_closed');
    agent.destroy();
    say({ id, ok: true });
  },
};

// Resolves to a reply, or rejects with what Node says; `abandoned` if that was asked for.
function request(call, signal) {
  return new Promise((resolve, reject) => {
    const library = settings.tls ? https : http;
    const options = { method: call.method, agent, signal };
    const sent = library.request(settings.url + call.target, options);
    sent.on('error', (error) => {
      const isStale = sent.reusedSocket && error.code === 'ECONNRESET' && !sent.res;
      if (settings.idiomatic && isStale && call.method === 'GET' && !signal.aborted) {
        request(call, signal).then(resolve, reject);
      } else {
        reject(error);
      }
    });
    sent.on('response', (response) => {
      const parts = [];
      response.on('error', reject);
      response.on('data', (part) => {
        parts.push(part);
        if (call.abandon === 'exception') {
          sent.destroy(); // what a caller does that has had enough
          reject(Object.assign(new Error('the caller walked away'), { code: 'abandoned' }));
        }
      });
      response.on('end', () => {
        const body = Buffer.concat(parts).toString('base64');
        if (response.statusCode === 200) resolve({ body_base64: body, status: 200 });
        else reject(new Error(`the origin answered ${response.statusCode}`));
      });
    });
    sent.end(call.body || undefined);
  });
}

// What an error means: its kind, and whether the server can have seen the request.
function told(error, reason) {
  const kinds = {
    ECONNREFUSED: 'refused', ECONNRESET: 'reset', EPIPE: 'reset', ETIMEDOUT: 'timeout',
    EHOSTUNREACH: 'unreachable', ENETUNREACH: 'unreachable', EADDRNOTAVAIL: 'no_port',
    abandoned: 'abandoned',
  };
  const code = String(error.code);
  let kind = reason || kinds[code] || 'other';
  if (!reason && ['socket hang up', 'aborted'].includes(error.message)) kind = 'closed';
  if (kind === 'other' && /CERT|TLS|SSL|SELF_SIGNED|VERIFY/.test(code)) kind = 'tls';
  if (kind === 'other' && /^HPE_|answered/.test(code + error.message)) kind = 'protocol';
  return { kind, certainty: kind === 'refused' ? 'failed' : 'unknown', message: error.message };
}

// Optional: tell of each attempt to connect and of each close.
function tellDials(of) {
  const connect = of.createConnection.bind(of);
  of.createConnection = (...args) => {
    const socket = connect(...args);
    const began = process.hrtime.bigint();
    const took = () => Number(process.hrtime.bigint() - began) / 1e9;
    let port = 0;
    socket.once('connect', () => {
      port = socket.localPort;
      say({ event: 'dialed', outcome: 'ok', local_port: port, took_s: took() });
    });
    socket.once('error', (error) => {
      if (!port) say({ event: 'dialed', outcome: told(error).kind, took_s: took() });
    });
    socket.once('close', () => {
      if (port) say({ event: 'socket_closed', local_port: port });
    });
    return socket;
  };
}

const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const message = JSON.parse(line);
  if (message.op in operations) operations[message.op](message);
});
lines.on('close', () => process.exit(0)); // the harness is gone
