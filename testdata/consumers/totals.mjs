// Prints the running total of each code, right at every moment, from the events of a NATS server; killed and
// started again, it goes on where it was. After `npm ci` here: node totals.mjs nats://127.0.0.1:4222 totals.json
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";

const [url, file] = process.argv.slice(2);
const nc = await connect({ servers: url, maxReconnectAttempts: -1 });
const { created, state: { last_seq: last } } = await (await jetstreamManager(nc)).streams.info("CHAT7_EVENTS");
let state = existsSync(file) ? JSON.parse(readFileSync(file)) : {};
if (state.created !== created || state.next > last + 1) state = { created, next: 1, rows: {} }; // another stream
const total = Object.create(null);
const add = (code, n) => { total[code] = (total[code] ?? 0) + n; };
for (const [key, row] of Object.entries(state.rows)) add(JSON.parse(key)[3], row.n);
console.log(JSON.stringify(total));

// To be compared as text: dates of JavaScript know no microseconds.
const instant = (time) => time.slice(0, 19) + "." + time.slice(20, -1).padEnd(9, "0");
const rows = await jetstream(nc).consumers.get("CHAT7_EVENTS", {
  filter_subjects: "chat7.events.*.row.>", deliver_policy: "by_start_sequence", opt_start_seq: state.next });
let read = 0;
for await (const m of await rows.consume()) {
  const { type, time, data: d } = m.json();
  if (type === "wolkpipe.chat_7.row.v1") { // types that are not known are to be ignored
    const key = JSON.stringify([d.operation, d.window_local, d.agent_name, d.cod_act]);
    const old = state.rows[key] ?? { at: "", revision: 0, n: 0 }, at = instant(time);
    if (at > old.at || (at === old.at && d.revision > old.revision)) {
      state.rows[key] = { at, revision: d.revision, n: d.interactions };
      add(d.cod_act, d.interactions - old.n);
      if (d.interactions !== old.n) console.log(JSON.stringify({ [d.cod_act]: total[d.cod_act] }));
    }
  }
  state.next = m.seq + 1;
  if (m.info.pending > 0 && ++read % 1000 > 0) continue;
  writeFileSync(file + ".tmp", JSON.stringify(state), { flush: true, mode: 0o600 });
  renameSync(file + ".tmp", file);
}
