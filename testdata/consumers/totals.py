"""Prints the running total of each code, right at every moment, from the events of a NATS server; however it ends,
started again it goes on where it was. Python 3.11, no package: python3 totals.py 127.0.0.1:4222 totals.json"""
import collections, datetime, json, os, socket, sys

address, file = sys.argv[1:3]
os.umask(0o077)  # agents are named in the file
wire = socket.create_connection(address.removeprefix("nats://").rsplit(":", 1), timeout=60).makefile("rwb")
inbox = f"_INBOX.totals{os.getpid()}"
def send(*lines): wire.write("".join(line + "\r\n" for line in lines).encode()), wire.flush()
def receive():  # a message's reply subject, and its payload
    while not (line := wire.readline().decode()).startswith(("MSG ", "HMSG ")):
        if line == "" or line.startswith("-ERR"): sys.exit("disconnected " + line)
        if line.startswith("PING"): send("PONG")
    words, data = line.split(), wire.read(int(line.split()[-1]) + 2)
    return words[3], data[int(words[-2]) if words[0] == "HMSG" else 0:-2]
send('CONNECT {"verbose": false, "headers": true}', f"SUB {inbox} 1", f"PUB $JS.API.STREAM.INFO.CHAT7_EVENTS {inbox} 0", "")
info, state = json.loads(receive()[1]), json.load(open(file)) if os.path.exists(file) else {}
if state.get("created") != info["created"] or state["next"] > info["state"]["last_seq"] + 1:
    state = {"created": info["created"], "next": 1, "rows": {}}  # it is another stream
total, rows = collections.Counter(), state["rows"]
for key in rows: total[json.loads(key)[3]] += rows[key][2]
print(json.dumps(total), flush=True)
consumer = json.dumps({"stream_name": "CHAT7_EVENTS", "config": {"deliver_subject": inbox, "ack_policy": "none", "idle_heartbeat": 20 * 10**9,
    "filter_subject": "chat7.events.*.row.>", "deliver_policy": "by_start_sequence", "opt_start_seq": state["next"]}})
send(f"PUB $JS.API.CONSUMER.CREATE.CHAT7_EVENTS {inbox} {len(consumer)}", consumer)
while True:
    while not (got := receive())[0].startswith("$JS.ACK."): assert b'"error"' not in got[1], got  # an answer or a heartbeat
    sequence, nth, _, pending = map(int, got[0].split(".")[5:9])
    event, code = (e := json.loads(got[1]))["data"], e["data"].get("cod_act")
    if e["type"] == "wolkpipe.chat_7.row.v1":  # types that are not known are to be ignored
        key = json.dumps([event["operation"], event["window_local"], event["agent_name"], code])
        (*old, n), at = rows.get(key, (0, 0, 0)), datetime.datetime.fromisoformat(e["time"]).timestamp()
        if [at, event["revision"]] > old:
            rows[key], total[code] = (at, event["revision"], event["interactions"]), total[code] + event["interactions"] - n
            print(json.dumps({code: total[code]}), flush=True)
    state["next"] = sequence + 1
    if pending == 0 or nth % 1000 == 0:
        with open(file + ".tmp", "w") as f: json.dump(state, f), f.flush(), os.fsync(f.fileno())
        os.replace(file + ".tmp", file)
