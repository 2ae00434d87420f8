package schemas

import "time"

// ActivityCode is a code that agents can close an interaction with, as the
// source's list of codes tells it: a row of the lake's codes dataset. The
// source lets codes be edited and deleted. What is kept are the newest values,
// of a deleted code the last ones.
//
// All texts are normalised as those of rows are, and an empty one is none, but
// for Code. Beside code and description the source does not say what its
// columns mean; they stand here as it words them: "1", "0", "true".
type ActivityCode struct {
	Code        string    `json:"cod_act"` // the key
	Description *string   `json:"description_cod_act"`
	Hit         *string   `json:"hit"`
	RPC         *string   `json:"rpc"`
	Chat        *string   `json:"chat"`
	Voice       *string   `json:"voice"`
	TypeCode    *string   `json:"type_code"`
	FirstSeenAt time.Time `json:"first_seen_at"` // when a list first told the code; UTC, to the microsecond
	LastSeenAt  time.Time `json:"last_seen_at"`  // when the latest list that still told it came
}
