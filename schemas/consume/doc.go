// Package consume is for programs that read wolkpipe's events: it decodes them,
// and keeps counts that are right at every moment.
//
//	fold, err := consume.Load("totals.json") // empty at first
//	from := fold.Resume(info.Created, info.State.LastSeq)
//	// for each message, in the order of the stream, from that sequence on:
//	event, err := consume.Decode(message.Data())
//	if change, changed := fold.Apply(event, sequence); changed {
//		total[change.Code] += change.Delta()
//	}
//	err = fold.Checkpoint("totals.json", pending) // now and then saves
//
// Of each (operation, window, agent, code) the row event counts that was
// observed last, and of those the one of the highest revision. Whatever else
// was told, before or after, how often and in which order, makes no
// difference: an event read twice changes nothing, one that comes late neither,
// and a correction or a repair replaces what it corrects. A program that is
// killed may therefore go on from any earlier sequence.
//
// The package imports the standard library and schemas alone. To connect,
// subscribe and decide when to save is left to the program;
// testdata/consumers has whole ones, in other languages too.
package consume
