// Package chat7 is the client of the wolkvox Reports Manager: the report
// chat_7, and the two calls that tell a token's quota and the activity codes.
//
// Its one promise is that "no rows" is a fact that the source stated, never
// the reading of a failure. An [Answer] without rows comes from the vendor's
// own envelope and from nothing else:
//
//   - code 404, under HTTP 404 or 200, with no rows;
//   - code 200, or a blank or zero code with `data` present and no error,
//     under HTTP 200, with no rows.
//
// An envelope is a JSON object that holds `code` and at least one of `msg` and
// `data`; what a proxy, a web server or another service says with a 404 is
// therefore a failure. What may stand in front of the envelope is a byte-order
// mark and the source's own warnings; nothing may follow it. Everything else is
// an [*Error], whose [Kind] is what a caller decides by.
//
// Rows are handed on byte for byte as sent. Names, codes and counts are read
// elsewhere; so are retries, back-off, the quota and the rule that one token
// has one call in flight. To let a caller keep that rule, [Error.Open] tells of
// a call that the source may still be working on, and a request is never sent
// a second time behind the caller's back: no redirect is followed and nothing
// is retried.
//
// The token is asked for before every call and kept by nobody; it goes into
// one header, and into no URL, error or log.
package chat7
