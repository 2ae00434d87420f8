// Package chat7sim is a wolkvox Reports Manager that never was: an
// http.Handler that answers the chat_7 report, token_info and activity_codes
// from a seeded ground truth, with every oddity and fault that the real
// service is known, or feared, to have.
//
// It is what all else is checked against, so it shares nothing with what it
// checks: no client, no schema, no normalisation. Of this module it imports
// the wall-clock types alone, and it reads the zone database by itself.
//
// # The truth
//
// A [Sim] holds several operations, told apart by the wolkvox-token header.
// An operation's interactions are generated a day at a time from (seed,
// operation, date), each at a real instant: a working day's shape with its
// lunch, quiet nights, week-ends and holidays. A second that the clock shows
// twice holds the interactions of both passes, one that it skips holds none.
// Which interactions there are does not depend on the faults switched on.
//
// [Sim.Truth] says what a faultless source would answer now, [Sim.Final] what
// it will answer once all that is late has come. Both speak in clean names:
// NFC, no HTML entities, single spaces. Everything that the simulator does to
// an answer can be undone by normalising its rows, leaving out rows alike to
// the byte, summing the rest by agent and code, and setting aside the rows
// whose count cannot be read; what is left is the truth.
//
// # Faults
//
// A [Scenario] switches them on, each by a field of [Faults]. Those that
// strike single calls are drawn from (seed, operation, number of the call), so
// that a run is repeatable and the same question asked again can succeed. Those
// that belong to the data (spellings, unreadable rows, repeated keys) are drawn
// from the data, so that the same question gets the same rows.
// [Sim.Stats] counts how often each has struck.
//
// # Over HTTP
//
//	GET <any prefix>/api/v2/reports_manager.php?api=chat_7&date_ini=&date_end=
//	GET <any prefix>/api/v2/information.php?api=token_info|activity_codes
//	GET /truth?operation=&date_ini=&date_end=[&final=1]
//	GET /stats
//
// In /truth date_end is the last second included, whatever the scenario makes
// of date_end in the report.
package chat7sim
