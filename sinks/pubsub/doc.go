// Package pubsub owns Watermill's Publisher and Subscriber on NATS JetStream.
//
// The [Publisher] stores the messages of one call whole or not at all, as an
// atomic batch, under the caller's context and guarded by expected sequences
// where the caller asks for it. Its errors say what the caller has to do:
// read again and compare ([ErrConflict]), or back off ([ErrTransient]).
//
// The [Subscriber] reads through a pull consumer and delivers at least once.
// It keeps a message its own for as long as a handler works on it, however
// long that takes, and gives it up when the process stops: the server then
// delivers it again, to this subscriber or to another of the same durable
// consumer.
//
// Messages keep their UUID (as the message id), payload and metadata (as
// headers). Headers that speak to the server (Nats-…) are not handed to
// handlers, so that a message may be published again elsewhere as it is.
//
// Streams are made by others; retrying is left to the caller.
package pubsub
