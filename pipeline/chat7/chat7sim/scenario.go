package chat7sim

import "time"

// Scenario is what a simulator plays. The zero value is a friendly source with
// the two operations of [DefaultOperations].
type Scenario struct {
	Operations []Operation `yaml:"operations"` // none: DefaultOperations
	Faults     Faults      `yaml:"faults"`     // of every operation that has none of its own
}

// Operation is one wolkvox operation: its own data, zone, tokens and quota.
type Operation struct {
	Name     string   `yaml:"name"`     // [a-z][a-z0-9_-]*
	Tokens   []string `yaml:"tokens"`   // all spend one quota; none: "sim-" and the name
	Timezone string   `yaml:"timezone"` // IANA
	Licences int      `yaml:"licences"` // 1000 calls a day each; 0: one; negative: no quota
	Seed     uint64   `yaml:"seed"`     // added to the simulator's

	// InteractionsPerDay is the mean of a working day, from 0 (an operation
	// that never has any) to 10,000,000.
	InteractionsPerDay int  `yaml:"interactions_per_day"`
	Steady             bool `yaml:"steady"` // the same number every day, spread evenly over 24 hours

	Agents   int      `yaml:"agents"`   // people, a bot and the empty name included; 0: 12
	Codes    int      `yaml:"codes"`    // typifications, sentinels included; 0: 18
	Hours    string   `yaml:"hours"`    // when people work; "": 08:00-20:00
	Weekends bool     `yaml:"weekends"` // Saturdays and Sundays are working days
	Holidays []string `yaml:"holidays"` // days of the form 2006-01-02, besides those of the country

	// Closed: nothing happens outside of Hours nor, without Weekends, at the
	// week-end; every weekday is a working day, with just as many interactions
	// as InteractionsPerDay says.
	Closed bool `yaml:"closed"`

	Faults *Faults `yaml:"faults"` // in place of the scenario's
}

// DefaultOperations are two operations, 13 hours of the clock and one token
// apart: ventas in Bogotá and soporte in Santiago de Chile.
func DefaultOperations() []Operation {
	return []Operation{
		{Name: "ventas", Tokens: []string{"sim-ventas"}, Timezone: "America/Bogota", InteractionsPerDay: 400},
		{Name: "soporte", Tokens: []string{"sim-soporte"}, Timezone: "America/Santiago", InteractionsPerDay: 250, Agents: 8},
	}
}

// Rate is a probability, from 0 (never) to 1 (always).
type Rate float64

// Lag strikes a share of the interactions some time after they were closed:
// exponentially distributed with that mean, cut off at Max (0: ten means).
type Lag struct {
	Rate Rate          `yaml:"rate"`
	Mean time.Duration `yaml:"mean"`
	Max  time.Duration `yaml:"max"`
}

// Timed strikes at a rate, for so long.
type Timed struct {
	Rate Rate          `yaml:"rate"`
	For  time.Duration `yaml:"for"`
}

// Spells come once in every Every, at an unforeseeable time in it, and last For.
type Spells struct {
	Every time.Duration `yaml:"every"`
	For   time.Duration `yaml:"for"`
}

// Latency is what an answer takes: Base and up to Random more.
type Latency struct {
	Base   time.Duration `yaml:"base"`
	Random time.Duration `yaml:"random"`
}

// Period is a stretch of every day on the server's clock; it may pass midnight.
type Period struct {
	From string `yaml:"from"` // 15:04
	To   string `yaml:"to"`   // 15:04, exclusive
}

// The forms of an answer without rows, for [Faults.EmptyForms].
const (
	EmptyNotFound      = "404"           // HTTP 404, code 404
	EmptyNotFoundIn200 = "404_under_200" // HTTP 200, code 404
	EmptyList          = "list"          // HTTP 200, "data": []
	EmptyNull          = "null"          // HTTP 200, "data": null
	EmptyAbsent        = "absent"        // HTTP 200, no data
)

// Faults are the oddities of a source. The zero value has none: an answer
// at once, strings for counts, an inclusive date_end, and the limits that are
// documented.
type Faults struct {
	// What happens at the source. [Sim.Truth] follows these.

	Late    Lag  `yaml:"late"`    // recorded only so long after the closing
	Recoded Lag  `yaml:"recoded"` // given another code so long after it was recorded
	Deleted Lag  `yaml:"deleted"` // gone so long after it was recorded
	Shared  Rate `yaml:"shared"`  // touched by an agent up to two hours before it is closed: a range that holds only the touch counts it too, so halves add up to more than the whole

	// How a range is answered. Truth does not follow these.

	ExclusiveEnd  bool   `yaml:"exclusive_end"`   // date_end itself is left out
	RowCap        int    `yaml:"row_cap"`         // 0: 60,000
	RowCapRefuses bool   `yaml:"row_cap_refuses"` // 400 in place of cutting off silently
	MaxRangeDays  int    `yaml:"max_range_days"`  // a longer range gets 400; 0: 31
	EmptyAfterEnd Timed  `yaml:"empty_after_end"` // that share of ranges answers empty until so long after its end
	EmptySpells   Spells `yaml:"empty_spells"`    // every range answers empty meanwhile

	// What is refused.

	MaxInFlight      int           `yaml:"max_in_flight"`    // calls on one token; 0: 2
	QuotaReset       string        `yaml:"quota_reset"`      // 15:04 on the server's clock; "": 00:00
	UsedElsewhere    int           `yaml:"used_elsewhere"`   // calls of each day's quota that others spend
	RevokedAfter     int           `yaml:"revoked_after"`    // the operation's tokens are void after that many calls; 0: never
	Maintenance      []Period      `yaml:"maintenance"`      // 403 with the message of a backup
	MaintenanceRate  Rate          `yaml:"maintenance_rate"` // the same, now and then
	Busy             Rate          `yaml:"busy"`             // 403 as if somebody else used the token
	UnknownForbidden Rate          `yaml:"unknown_403"`      // 403 with a message that nobody has seen
	TooMany          Rate          `yaml:"too_many"`         // 429
	RetryAfter       time.Duration `yaml:"retry_after"`      // its Retry-After, in seconds or as a date; 0: none
	ServerErrors     Rate          `yaml:"server_errors"`    // 500, 502, 503, 504
	HTML404          Rate          `yaml:"html_404"`         // a web server's own 404 page: a failure, not an empty answer

	// How long it takes. A call is in flight until the server has done with
	// it, also when the client has gone.

	Latency Latency `yaml:"latency"`
	Slow    Timed   `yaml:"slow"` // these calls take that much longer

	// How the answer is written.

	Dropped         Rate     `yaml:"dropped"`           // connection closed without a byte
	Cut             Rate     `yaml:"cut"`               // connection closed in the middle of the body
	CutShort        Rate     `yaml:"cut_short"`         // a body that ends early, with nothing to tell
	HTMLPage        Rate     `yaml:"html_page"`         // a page under HTTP 200
	ErrorUnder200   Rate     `yaml:"error_under_200"`   // an error's code under HTTP 200
	PHPWarning      Rate     `yaml:"php_warning"`       // in front of the JSON
	BOM             Rate     `yaml:"bom"`               // in front of the JSON
	Gzip            Rate     `yaml:"gzip"`              // where the client accepts it
	OddCode         Rate     `yaml:"odd_code"`          // "200", "0", " ", "" for 200; "404" for 404
	OddMsg          Rate     `yaml:"odd_msg"`           // a number of records that is not that of the rows
	EmptyForms      []string `yaml:"empty_forms"`       // drawn from for an answer without rows; none: 404
	TokenInfoObject bool     `yaml:"token_info_object"` // token_info's data is an object, not a list of one
	CodeActKey      bool     `yaml:"code_act_key"`      // activity_codes says code_act, not cod_act

	// What is in the rows.

	NumberCounts  Rate `yaml:"number_counts"`  // of rows: 3 for "3"
	SpacedCounts  Rate `yaml:"spaced_counts"`  // of rows: " 3 "
	GroupedCounts Rate `yaml:"grouped_counts"` // of rows from 1000: "1,234"
	JunkRows      Rate `yaml:"junk_rows"`      // additional rows whose count nobody can read, for each interaction
	ZeroRows      Rate `yaml:"zero_rows"`      // additional rows that count "0", for each row
	DuplicateRows Rate `yaml:"duplicate_rows"` // of rows: a second time, alike to the byte
	RepeatedKeys  Rate `yaml:"repeated_keys"`  // of rows from 3: two rows that add up to it
	OddNames      Rate `yaml:"odd_names"`      // of agents and codes: spelt in NFD, with entities, spaces, invisible characters
	SplitNames    Rate `yaml:"split_names"`    // of interactions: under a second spelling of the agent, and so in a row of their own
	ExtraKeys     Rate `yaml:"extra_keys"`     // of rows: with keys that nobody knows
	NoDescription Rate `yaml:"no_description"` // of codes: without description_cod_act
	Shuffled      bool `yaml:"shuffled"`       // another order of rows at every call
}
