package transform

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"wolkpipe/schemas"
)

// Digest tells whether two snapshots hold the same content: 16 hex digits over
// agent, code and interactions of the rows and the raw rejects, in any order.
// Descriptions, which are labels that the source edits at will, and the
// counts of rows dropped or merged do not move it.
func (s Snapshot) Digest() string {
	rows := s.Rows
	if !slices.IsSortedFunc(rows, schemas.Row.Compare) {
		rows = slices.SortedFunc(slices.Values(rows), schemas.Row.Compare)
	}
	byRaw := func(a, b schemas.Reject) int { return bytes.Compare(a.Raw, b.Raw) }
	rejects := s.Rejects
	if !slices.IsSortedFunc(rejects, byRaw) {
		rejects = slices.SortedFunc(slices.Values(rejects), byRaw)
	}

	// Lengths before what they measure: no two contents have the same bytes.
	b := make([]byte, 0, 64*(len(rows)+1))
	b = binary.AppendUvarint(b, uint64(len(rows)))
	for _, r := range rows {
		b = binary.AppendUvarint(b, uint64(len(r.Agent)))
		b = append(b, r.Agent...)
		b = binary.AppendUvarint(b, uint64(len(r.Code)))
		b = append(b, r.Code...)
		b = binary.AppendUvarint(b, uint64(r.Interactions))
	}
	for _, r := range rejects {
		b = binary.AppendUvarint(b, uint64(len(r.Raw)))
		b = append(b, r.Raw...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// HashAgent gives what stands for a normalised agent name under a key; the
// name itself without one. See [Options.AgentKey].
func HashAgent(name string, key []byte) string {
	rows := []schemas.Row{{Agent: name}}
	hashAgents(rows, key)
	return rows[0].Agent
}

// hashAgents replaces the agents of sorted rows by their keyed hash and sorts
// them anew. Without a key it does nothing.
func hashAgents(rows []schemas.Row, key []byte) {
	if len(key) == 0 {
		return
	}
	mac := hmac.New(sha256.New, key)
	var plain, hashed string
	var sum [sha256.Size]byte
	for i := range rows {
		if r := &rows[i]; hashed == "" || r.Agent != plain {
			mac.Reset()
			mac.Write([]byte(r.Agent))
			plain, hashed = r.Agent, hex.EncodeToString(mac.Sum(sum[:0])[:16])
		}
		rows[i].Agent = hashed
	}
	slices.SortFunc(rows, schemas.Row.Compare)
}
