package quarantine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/pubsub"
)

// Limits of what is published, in bytes but for the first.
const (
	maxBatch      = pubsub.MaxBatch
	maxBatchBytes = 4 << 20
	maxMessage    = 512 << 10 // of a message; its raw row is cut beyond
	keptRaw       = 64 << 10  // of a raw row that is cut; as a JSON string at most six times that
	keptReason    = 4 << 10
)

// reject is a message to publish.
type reject struct {
	window string // its Local
	data   []byte
}

// batches splits rejects into what is published at once. The rejects of a
// window are not parted unless they are too many for one batch.
func batches(all []reject) [][]reject {
	var done [][]reject
	begin, bytes := 0, 0 // the batch under way
	for i := 0; i < len(all); {
		end, size := i, 0 // the window that begins at i, as far as a batch holds it
		for end < len(all) && all[end].window == all[i].window && end-i < maxBatch {
			if size += len(all[end].data); size > maxBatchBytes && end > i {
				size -= len(all[end].data)
				break
			}
			end++
		}
		if i > begin && (end-begin > maxBatch || bytes+size > maxBatchBytes) {
			done = append(done, all[begin:i])
			begin, bytes = i, 0
		}
		bytes += size
		i = end
	}
	if begin < len(all) {
		done = append(done, all[begin:])
	}
	return done
}

// publish publishes a batch under the guard and gives its last sequence.
func (h *held) publish(ctx context.Context, batch []reject) (uint64, error) {
	messages := make([]*message.Message, len(batch))
	for i, r := range batch {
		messages[i] = message.NewMessage("", r.data)
		messages[i].Metadata[pubsub.SubjectKey] = h.subject
		messages[i].Metadata["Content-Type"] = "application/json"
	}
	messages[0].Metadata[pubsub.ExpectSequenceKey] = strconv.FormatUint(h.guard, 10)
	seq, err := h.sink.publisher.PublishBatch(ctx, schemas.QuarantineStream, messages...)
	if errors.Is(err, pubsub.ErrConflict) {
		return 0, fmt.Errorf("%w: %w", sinks.ErrConflict, err)
	}
	return seq, err
}

// encode gives the message of a reject, the same bytes for the same reject.
func encode(operation string, w *schemas.Window, r schemas.Reject) ([]byte, error) {
	row := schemas.QuarantineRow{Operation: operation, WindowLocal: w.Local, Revision: w.Revision, Reason: r.Reason}
	data, err := marshal(row, r.Raw)
	if err == nil && len(data) > maxMessage {
		row.Reason = cut(r.Reason, keptReason)
		// A row that is cut is no JSON: it is told as a string.
		data, err = marshal(row, []byte(cut(string(r.Raw), keptRaw)))
	}
	if err != nil {
		return nil, fmt.Errorf("encoding a rejected row of %s %s: %w", operation, w.Local, err)
	}
	return data, nil
}

// marshal encodes row with raw as it is where it is JSON, else as a string.
// Bytes that are no UTF-8, which JSON cannot hold, become U+FFFD.
func marshal(row schemas.QuarantineRow, raw []byte) ([]byte, error) {
	row.Raw = bytes.ToValidUTF8(raw, []byte("\ufffd"))
	if !json.Valid(row.Raw) {
		var err error
		if row.Raw, err = plain(string(row.Raw)); err != nil {
			return nil, err
		}
	}
	return plain(row)
}

// plain encodes v without the escapes that make JSON fit for HTML.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// cut keeps the first bytes of a text that has more, and says so.
func cut(s string, keep int) string {
	if len(s) <= keep {
		return s
	}
	end := keep
	for end > keep-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.ToValidUTF8(s[:end], "\ufffd") + fmt.Sprintf("… (cut, %d bytes)", len(s))
}
