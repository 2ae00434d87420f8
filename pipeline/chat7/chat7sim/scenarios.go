package chat7sim

import "time"

// Scenarios are the stock of scenarios for tests, by name: one for each fault,
// "friendly" with none, and "everything".
//
// "everything" has all faults together, each at a rate that a patient client
// gets through. It leaves out those of which a client must learn or be told
// first (exclusive_end, shared), those that have no end (revoked_after), those
// that would keep a test waiting (slow beyond a second, maintenance by the
// clock), and limits that make an answer wrong with nothing to show for it
// (row_cap).
func Scenarios() map[string]Scenario {
	all := map[string]Scenario{"everything": {Operations: everyone(), Faults: everything()}}
	for name, f := range map[string]Faults{
		"friendly": {},

		"late":    {Late: Lag{Rate: 0.2, Mean: 10 * time.Minute, Max: 2 * time.Hour}},
		"recoded": {Recoded: Lag{Rate: 0.2, Mean: 20 * time.Minute, Max: 2 * time.Hour}},
		"deleted": {Deleted: Lag{Rate: 0.1, Mean: 20 * time.Minute, Max: 2 * time.Hour}},
		"shared":  {Shared: 0.2},

		"exclusive-end":   {ExclusiveEnd: true},
		"row-cap":         {RowCap: 40},
		"row-cap-refused": {RowCap: 40, RowCapRefuses: true},
		"short-ranges":    {MaxRangeDays: 1},
		"empty-after-end": {EmptyAfterEnd: Timed{Rate: 0.3, For: 10 * time.Minute}},
		"empty-spells":    {EmptySpells: Spells{Every: time.Hour, For: 5 * time.Minute}},

		"one-in-flight": {MaxInFlight: 1},
		"quota":         {UsedElsewhere: 700, QuotaReset: "04:30"},
		"revoked":       {RevokedAfter: 20},
		"maintenance":   {Maintenance: []Period{{From: "23:50", To: "00:20"}}, MaintenanceRate: 0.05},
		"busy":          {Busy: 0.2},
		"unknown-403":   {UnknownForbidden: 0.1},
		"too-many":      {TooMany: 0.2, RetryAfter: time.Second},
		"server-errors": {ServerErrors: 0.2},
		"html-404":      {HTML404: 0.2},

		"latency": {Latency: Latency{Base: 5 * time.Millisecond, Random: 20 * time.Millisecond}},
		"slow":    {Slow: Timed{Rate: 0.05, For: 90 * time.Second}},

		"dropped":         {Dropped: 0.2},
		"cut":             {Cut: 0.2},
		"cut-short":       {CutShort: 0.2},
		"html-page":       {HTMLPage: 0.2},
		"error-under-200": {ErrorUnder200: 0.2},
		"php-warning":     {PHPWarning: 0.5},
		"bom":             {BOM: 0.5},
		"gzip":            {Gzip: 0.5},
		"odd-code":        {OddCode: 0.5},
		"odd-msg":         {OddMsg: 0.5},
		"empty-forms":     {EmptyForms: []string{EmptyNotFound, EmptyNotFoundIn200, EmptyList, EmptyNull, EmptyAbsent}},
		"other-shapes":    {TokenInfoObject: true, CodeActKey: true},

		"number-counts":  {NumberCounts: 0.5},
		"spaced-counts":  {SpacedCounts: 0.5},
		"junk-rows":      {JunkRows: 0.05},
		"zero-rows":      {ZeroRows: 0.2},
		"duplicate-rows": {DuplicateRows: 0.2},
		"repeated-keys":  {RepeatedKeys: 0.5},
		"odd-names":      {OddNames: 0.7},
		"split-names":    {OddNames: 0.3, SplitNames: 0.3},
		"extra-keys":     {ExtraKeys: 0.5},
		"no-description": {NoDescription: 0.5},
		"shuffled":       {Shuffled: true},
	} {
		all[name] = Scenario{Faults: f}
	}
	all["grouped-counts"] = Scenario{
		Operations: []Operation{{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 50_000, Agents: 2, Codes: 2}},
		Faults:     Faults{GroupedCounts: 1},
	}
	all["silence"] = Scenario{Operations: []Operation{{Name: "ventas", Timezone: "America/Bogota"}}}
	return all
}

// everyone are the default operations with a quota that bears retries.
func everyone() []Operation {
	ops := DefaultOperations()
	for i := range ops {
		ops[i].Licences = 10
	}
	return ops
}

func everything() Faults {
	return Faults{
		Late:    Lag{Rate: 0.05, Mean: 10 * time.Minute, Max: 2 * time.Hour},
		Recoded: Lag{Rate: 0.05, Mean: 20 * time.Minute, Max: 2 * time.Hour},
		Deleted: Lag{Rate: 0.02, Mean: 20 * time.Minute, Max: 2 * time.Hour},

		EmptyAfterEnd: Timed{Rate: 0.02, For: 5 * time.Minute},
		EmptySpells:   Spells{Every: 6 * time.Hour, For: 2 * time.Minute},

		QuotaReset: "00:00", UsedElsewhere: 10,
		MaintenanceRate: 0.01, Busy: 0.02, UnknownForbidden: 0.01, TooMany: 0.01, RetryAfter: time.Second,
		ServerErrors: 0.02, HTML404: 0.01,

		Latency: Latency{Random: 2 * time.Millisecond}, Slow: Timed{Rate: 0.002, For: time.Second},

		Dropped: 0.01, Cut: 0.01, CutShort: 0.01, HTMLPage: 0.01, ErrorUnder200: 0.01,
		PHPWarning: 0.1, BOM: 0.1, Gzip: 0.3, OddCode: 0.2, OddMsg: 0.2,
		EmptyForms:      []string{EmptyNotFound, EmptyNotFound, EmptyNotFoundIn200, EmptyList, EmptyNull, EmptyAbsent},
		TokenInfoObject: true, CodeActKey: true,

		NumberCounts: 0.2, SpacedCounts: 0.2, GroupedCounts: 0.5, JunkRows: 0.01, ZeroRows: 0.02, DuplicateRows: 0.05,
		RepeatedKeys: 0.1, OddNames: 0.3, SplitNames: 0.1, ExtraKeys: 0.2, NoDescription: 0.2, Shuffled: true,
	}
}
