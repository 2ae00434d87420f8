package chat7sim

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"wolkpipe/pipeline/window"
)

const (
	documentedRowCap    = 60_000
	documentedRangeDays = 31
)

// chat7 answers the report.
func (c *call) chat7(r *http.Request) *reply {
	q := r.URL.Query()
	if q.Get("date_ini") == "" || q.Get("date_end") == "" {
		return refuse(http.StatusBadRequest, msgParameters, BadRequest)
	}
	span, err := parseRange(q.Get("date_ini"), q.Get("date_end"))
	if err != nil {
		return refuse(http.StatusBadRequest, msgParameters+": "+err.Error(), BadRequest)
	}
	f := c.op.faults
	if f.ExclusiveEnd {
		span.To--
	}
	if span.Seconds() > int64(cmp.Or(f.MaxRangeDays, documentedRangeDays))*24*60*60 {
		return refuse(http.StatusBadRequest, "THE RANGE OF DATES IS TOO LONG", BadRequest)
	}
	t := c.op.count(span, c.now.Unix(), &c.notes)
	if len(t.counts)+len(t.junk) == 0 {
		return c.empty(Empty)
	}
	if key := c.falselyEmpty(span); key != "" {
		c.struck = append(c.struck, key)
		return c.empty(FalseEmpty)
	}
	rows := c.rows(t, span)
	if limit := cmp.Or(f.RowCap, documentedRowCap); len(rows) > limit {
		c.struck = append(c.struck, "row_cap")
		if f.RowCapRefuses {
			return refuse(http.StatusBadRequest, "EXCEEDS THE LIMIT OF RECORDS PER REQUEST", RowCapped)
		}
		rows = rows[:limit]
	}
	return records(rows)
}

// records is an answer with rows.
func records(rows [][]byte) *reply {
	size := 2
	for _, row := range rows {
		size += len(row) + 1
	}
	data := append(make([]byte, 0, size), '[')
	for i, row := range rows {
		if i > 0 {
			data = append(data, ',')
		}
		data = append(data, row...)
	}
	return &reply{status: http.StatusOK, msg: strconv.Itoa(len(rows)) + " records were found", data: string(append(data, ']')), rows: len(rows), result: OK}
}

// empty is an answer without rows, in one of the forms that the scenario has.
func (c *call) empty(result Result) *reply {
	form := EmptyNotFound
	if forms := c.op.faults.EmptyForms; len(forms) > 0 {
		form = pick(c.rng, forms)
		c.struck = append(c.struck, "empty_forms")
	}
	rep := &reply{status: http.StatusOK, msg: "0 records were found", result: result}
	switch form {
	case EmptyList:
		rep.data = "[]"
	case EmptyNull:
		rep.data = "null"
	case EmptyAbsent:
	default:
		rep = refuse(http.StatusNotFound, msgEmpty, result)
		if form == EmptyNotFoundIn200 {
			rep.status, rep.code = http.StatusOK, "404"
		}
	}
	return rep
}

// falselyEmpty names the fault that hides what r holds, if one does.
func (c *call) falselyEmpty(r window.Range) string {
	o, f := c.op, c.op.faults
	if f.EmptyAfterEnd.For > 0 && local(o.loc, c.now) < r.To+window.Local(f.EmptyAfterEnd.For/time.Second) &&
		chance(generator(labelRange, o.seed, uint64(r.From), uint64(r.To)), f.EmptyAfterEnd.Rate) {
		return "empty_after_end"
	}
	if every := int64(f.EmptySpells.Every); f.EmptySpells.For > 0 {
		now := c.now.UnixNano()
		start := generator(labelSpell, o.seed, uint64(now/every)).Int64N(every - int64(f.EmptySpells.For))
		if at := now % every; at >= start && at < start+int64(f.EmptySpells.For) {
			return "empty_spells"
		}
	}
	return ""
}

// rows writes a tally, one JSON object a row.
func (c *call) rows(t tally, r window.Range) [][]byte {
	o, f := c.op, c.op.faults
	keys := make([]key, 0, len(t.counts))
	for k := range t.counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.agent, b.agent), cmp.Compare(a.code, b.code))
	})
	rows := make([][]byte, 0, len(keys)+len(t.junk))
	for _, k := range keys {
		rng := generator(labelRow, o.seed, uint64(r.From), uint64(r.To), uint64(k.agent), uint64(k.code))
		parts := []int64{t.counts[k]}
		if n := t.counts[k]; n >= 3 && c.strike(rng, f.RepeatedKeys, "repeated_keys") {
			less := 1 + rng.Int64N((n-1)/2) // never half: the two would be alike
			parts = []int64{n - less, less}
		}
		for _, n := range parts {
			row := c.row(k, c.countText(n, rng), rng)
			rows = append(rows, row)
			if c.strike(rng, f.DuplicateRows, "duplicate_rows") {
				rows = append(rows, row)
			}
		}
		if c.strike(rng, f.ZeroRows, "zero_rows") {
			rows = append(rows, c.row(key{k.agent, uint16(rng.IntN(len(o.roster.codes)))}, `"0"`, rng))
		}
	}
	for i, e := range t.junk {
		rng := generator(labelRow, o.seed, uint64(r.From), uint64(r.To), uint64(i))
		rows = append(rows, c.row(key{e.agent, e.code}, junkCounts[e.junkText], rng))
		c.struck = append(c.struck, "junk_rows")
	}
	if f.Shuffled {
		c.rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	return rows
}

// strike is hit for faults that belong to the data.
func (c *call) strike(rng *rand.Rand, r Rate, key string) bool {
	if !chance(rng, r) {
		return false
	}
	c.struck = append(c.struck, key)
	return true
}

// countText writes a count in one of the forms that the scenario has.
func (c *call) countText(n int64, rng *rand.Rand) string {
	f, text := c.op.faults, strconv.FormatInt(n, 10)
	if c.strike(rng, f.NumberCounts, "number_counts") {
		return text
	}
	if n >= 1000 && c.strike(rng, f.GroupedCounts, "grouped_counts") {
		text = grouped(n)
	}
	if c.strike(rng, f.SpacedCounts, "spaced_counts") {
		text = " " + text + " "
	}
	return `"` + text + `"`
}

func (c *call) row(k key, count string, rng *rand.Rand) []byte {
	ro := c.op.roster
	agent, name, description := &ro.agentNames.all[k.agent], ro.codeName(k.code), ro.codes[k.code].description
	b := make([]byte, 0, 80+len(agent.json)+len(name.json)+len(description))
	b = append(b, `{"interactions":`...)
	b = append(b, count...)
	b = append(b, `,"agent_name":`...)
	b = append(b, agent.json...)
	b = append(b, `,"cod_act":`...)
	b = append(b, name.json...)
	if description != nil {
		b = append(b, `,"description_cod_act":`...)
		b = append(b, description...)
	}
	if c.strike(rng, c.op.faults.ExtraKeys, "extra_keys") {
		b = append(b, `,"canal":"email","interno":{"id":7,"colas":[1,null,"x"]},"":false`...)
	}
	return append(b, '}')
}

// tokenInfo tells the quota, as it stands after this very call.
func (c *call) tokenInfo(*http.Request) *reply {
	c.sim.mu.Lock()
	elsewhere := int64(c.op.faults.UsedElsewhere)
	limit, mine, all := c.op.stats.Quota, c.token.spent[c.day], c.op.stats.QuotaSpent[c.day]+elsewhere
	c.sim.mu.Unlock()
	if limit < 0 {
		limit = 1_000_000_000
	}
	text := func(n int64) string { return strconv.FormatInt(n, 10) }
	row, _ := json.Marshal(map[string]string{ // strings always encode
		"token_limit": text(limit), "token_use_today": text(mine), "all_token_today": text(all),
		"available_consumption_options": text(max(0, limit-all)),
	})
	rep := records([][]byte{row})
	if c.op.faults.TokenInfoObject {
		rep.data = string(row)
	}
	rep.rows = 0
	return rep
}

// activityCodes lists the codes that people can choose.
func (c *call) activityCodes(*http.Request) *reply {
	name := "cod_act"
	if c.op.faults.CodeActKey {
		name = "code_act"
	}
	var rows [][]byte
	for i, code := range c.op.roster.codes {
		spelt := c.op.roster.codeNames.all[code.spelling]
		if spelt.clean == "" || spelt.clean == "-" {
			continue
		}
		row := append([]byte(`{"`+name+`":`), spelt.json...)
		if code.description != nil {
			row = append(append(row, `,"description_cod_act":`...), code.description...)
		}
		hit := strconv.Itoa(i % 2)
		row = append(row, `,"hit":"`+hit+`","rpc":"0","chat":"1","voice":"0","type_code":"`+pick(rand.New(rand.NewPCG(uint64(i), 0)), []string{"Gestión", "Sistema"})+`"}`...)
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return c.empty(Empty)
	}
	rep := records(rows)
	rep.rows = 0
	return rep
}
