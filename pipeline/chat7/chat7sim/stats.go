package chat7sim

import "maps"

// Stats is what a simulator has been asked and has answered. All counters
// run from its start.
type Stats struct {
	Operations map[string]OperationStats `json:"operations"`
	Tokens     map[string]TokenStats     `json:"tokens"`
	Strangers  map[string]int64          `json:"strangers"` // calls without a token that is known, by result
}

// OperationStats is one operation's.
type OperationStats struct {
	// Calls counts every call with a token of the operation by api, then by
	// result; abandoned calls are added when the server has done with them.
	Calls map[string]map[Result]int64 `json:"calls"`
	Total int64                       `json:"total"` // calls, those under way included
	Days  map[string]int64            `json:"days"`  // calls by day of the quota, 2006-01-02
	Rows  int64                       `json:"rows"`  // of chat_7 answers sent whole

	Quota        int64            `json:"quota"`         // calls a day; -1: no limit
	QuotaSpent   map[string]int64 `json:"quota_spent"`   // by day of the quota: calls that were counted against it
	QuotaRefused int64            `json:"quota_refused"` // calls made past it

	// Faults counts how often each fault struck, by its key in a scenario.
	// late, recoded, deleted and shared count interactions in answers: not
	// there yet, under their first code, still there, told by their touch.
	Faults map[string]int64 `json:"faults"`
}

// TokenStats is one token's. A call is in flight from its arrival until the
// server begins to send, or would have begun had the client stayed.
type TokenStats struct {
	Operation   string `json:"operation"`
	Calls       int64  `json:"calls"`
	InFlight    int    `json:"in_flight"`     // now
	MaxInFlight int    `json:"max_in_flight"` // 1 where calls never met
	Overlaps    int64  `json:"overlaps"`      // calls that arrived while another was in flight, refused ones included
}

// Result is what became of a call.
type Result string

// The results of a call.
const (
	OK            Result = "ok"           // rows, sent whole
	Empty         Result = "empty"        // no rows, and there are none
	FalseEmpty    Result = "false_empty"  // no rows, though there are some
	BadRequest    Result = "bad_request"  // 400
	RowCapped     Result = "row_cap"      // 400: too many rows
	NoToken       Result = "no_token"     // 401
	BadToken      Result = "bad_token"    // 403 PLEASE VALIDATE TOKEN
	QuotaExceeded Result = "quota"        // 403 TOKEN LIMIT EXCEEDED
	Concurrency   Result = "concurrency"  // 403 EXCEEDS THE LIMIT OF SIMULTANEOUS REQUESTS PER TOKEN (2)
	Maintenance   Result = "maintenance"  // 403
	Forbidden     Result = "forbidden"    // 403 with a message that nobody knows
	TooManyCalls  Result = "too_many"     // 429
	ServerError   Result = "server_error" // 5xx
	Broken        Result = "broken"       // an answer that cannot be read, or not at all
	Abandoned     Result = "abandoned"    // the client went away first
)

// Stats gives a copy of the counters. What a call adds to them is there
// before its answer is.
func (s *Sim) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := Stats{
		Operations: make(map[string]OperationStats, len(s.operations)),
		Tokens:     make(map[string]TokenStats, len(s.tokens)),
		Strangers:  maps.Clone(s.strangers),
	}
	for name, o := range s.operations {
		st := o.stats
		st.Calls = make(map[string]map[Result]int64, len(o.stats.Calls))
		for api, results := range o.stats.Calls {
			st.Calls[api] = maps.Clone(results)
		}
		st.Days, st.QuotaSpent, st.Faults = maps.Clone(st.Days), maps.Clone(st.QuotaSpent), maps.Clone(st.Faults)
		all.Operations[name] = st
	}
	for name, t := range s.tokens {
		all.Tokens[name] = t.stats
	}
	return all
}

// Results sums the operation's calls over its apis.
func (o OperationStats) Results() map[Result]int64 {
	sums := map[Result]int64{}
	for _, results := range o.Calls {
		for result, n := range results {
			sums[result] += n
		}
	}
	return sums
}
