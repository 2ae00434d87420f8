// Package events owns the events sink: it tells every change of a day to the
// JetStream stream CHAT7_EVENTS, as CloudEvents.
//
// The stream is its own state. The window events of a day say what consumers
// have been told of each window, so the sink compares the day it is given
// with them and tells the difference: for each window that changed, one row
// event for each (agent, code) whose count moved, then one window event with
// the whole window. All of that is one atomic batch, of several windows where
// they fit. A batch is conditional on the last sequence of the day's window
// subject and ends with a message on it, which makes the guard of the next.
// So two workers, a redelivery, a retry after a lost answer, or an old fold
// tell nothing twice, at any age; the stream's duplicate window is not relied
// upon.
//
// A change of more rows than one batch takes is told as several revisions.
// Each ends with a window event of the state so far, so that a crash between
// two of them leaves a stream from which the rest follows.
//
// A day's state is told by day events, in the batch of the windows that
// changed it. A day that changes its state alone gets a lone day event, which
// is conditional on the last day event. What a commit read but could not make
// itself conditional on, it reads once more when it is done.
//
// What the sink believes is not what consumers add up once messages are lost:
// it never sees that a row event is gone. [Sink.Audit] reads every row event
// as consumers do, and what it found can be mended, by further events under the
// same guard.
//
// Reads go to the stream's leader. Back-off and retries are left to the
// caller; connection, stream and publisher too.
package events
