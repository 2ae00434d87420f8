// Package broker owns the NATS server that wolkpipe carries in itself, the
// connections to it or to a server elsewhere, and the settings of the streams
// that the pipeline's guarantees rest on.
//
// # The embedded server
//
// [Start] runs a JetStream server in this process, with everything it keeps
// under one data folder:
//
//	lock          held while a process uses the folder; its text names that process
//	nats.secret   the password of the user wolkpipe, mode 0600
//	nats.url      where the running server listens
//	jetstream/    the streams
//
// Every write is synced to the disk before it is acknowledged. There is no
// limit on the space that streams take but the disk's own.
// A stream whose file could not be written takes nothing more until it is opened
// anew: [Server.Err] tells it, and the server is started again within this process
// once the folder can be written.
//
// Wolkpipe's data lives in an account of its own, which takes the secret.
// Connections without credentials, where they are allowed, land in another
// account that holds no data and reaches the first through a few named
// subjects only: see [Options.Anonymous].
//
// # The streams
//
// [EnsureStreams] creates what is missing, buckets included, and checks what is
// there. It never changes a stream: a setting that would break a guarantee is an
// error that says how to mend it. A cluster that elects a leader is waited for:
// see [Await].
//
// # Servers elsewhere
//
// Every server must be 2.12 or newer and have `sync_interval: always` in its
// jetstream block, as the embedded one has. A client is not told whether a
// server syncs, but where its account imports the service
// $SYS.REQ.SERVER.PING.JSZ of the system account: then [EnsureStreams] warns.
//
// Retrying, and what is written to the streams, is left to others.
package broker
