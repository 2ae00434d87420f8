package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bucket is the name of the KV bucket; its keys are hashes of URL and token.
const Bucket = "CHAT7_LEASES"

// BucketError means that the bucket has a setting that would lose what is
// counted in it.
type BucketError struct{ Setting, Mend string }

func (e *BucketError) Error() string {
	return fmt.Sprintf("bucket %s has %s: %s", Bucket, e.Setting, e.Mend)
}

// bind finds the bucket or makes it.
func (l *Leases) bind(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ioTime)
	defer cancel()
	kv, err := l.js.KeyValue(ctx, Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = l.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: Bucket, Description: "wolkpipe: who may call the source; wolkpipe's alone",
			History: 1, Storage: jetstream.FileStorage, Replicas: max(l.options.Replicas, 1),
		})
		if errors.Is(err, jetstream.ErrBucketExists) {
			kv, err = l.js.KeyValue(ctx, Bucket) // another process was faster
		}
	}
	if err != nil {
		return fmt.Errorf("opening bucket %s: %w", Bucket, err)
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return fmt.Errorf("reading the settings of bucket %s: %w", Bucket, err)
	}
	config := status.Config()
	switch {
	case config.TTL != 0:
		return &BucketError{fmt.Sprintf("a TTL of %v", config.TTL), "nats stream edit KV_" + Bucket + " --max-age=0"}
	case config.Storage != jetstream.FileStorage:
		return &BucketError{"no file storage", "stop every wolkpipe, nats kv del " + Bucket + ", and start again 24 hours after the last call"}
	case config.Replicas < l.options.Replicas:
		return &BucketError{fmt.Sprintf("%d replicas", config.Replicas),
			fmt.Sprintf("nats stream edit KV_%s --replicas=%d", Bucket, l.options.Replicas)}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kv = kv
	return nil
}

func (l *Leases) bucket() jetstream.KeyValue {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kv
}

// errConflict means that the record was not what the change was made from.
var errConflict = errors.New("the record has moved")

// read gets a token's record; revision 0 where there is none.
func (l *Leases) read(ctx context.Context, key string) (*record, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, ioTime)
	defer cancel()
	value, revision, err := l.get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the lease %s: %w", key, err)
	}
	r, err := decode(key, value)
	return r, revision, err
}

// last asks the bucket's leader for a key's value. The client's own Get is
// answered by any replica: one that lags tells, again and again, what the swap
// then refuses, and that a call is not open which is.
func (l *Leases) last(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	o := l.js.Options()
	api := "$JS.API."
	switch {
	case o.APIPrefix != "":
		api = strings.TrimSuffix(o.APIPrefix, ".") + "."
	case o.Domain != "":
		api = "$JS." + o.Domain + ".API."
	}
	body, err := json.Marshal(map[string]string{"last_by_subj": "$KV." + Bucket + "." + key})
	if err != nil {
		return nil, 0, err
	}
	reply, err := l.js.Conn().RequestWithContext(ctx, api+"STREAM.MSG.GET.KV_"+Bucket, body)
	if err != nil {
		return nil, 0, fmt.Errorf("asking the leader of bucket %s: %w", Bucket, err)
	}
	var answer struct {
		Error   *jetstream.APIError
		Message struct {
			Seq  uint64
			Hdrs []byte
			Data []byte
		}
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return nil, 0, err
	}
	switch {
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, 0, jetstream.ErrKeyNotFound
	case answer.Error != nil:
		return nil, 0, answer.Error
	}
	if len(answer.Message.Hdrs) > 0 {
		header, err := nats.DecodeHeadersMsg(answer.Message.Hdrs)
		if err != nil {
			return nil, 0, err
		}
		switch header.Get("KV-Operation") {
		case "DEL", "PURGE":
			return nil, 0, jetstream.ErrKeyNotFound
		}
	}
	return answer.Message.Data, answer.Message.Seq, nil
}

// swap writes a record in place of the revision that was read. After an error
// other than errConflict it may be written, now or later, or not.
func (l *Leases) swap(ctx context.Context, key string, r *record, revision uint64) error {
	ctx, cancel := context.WithTimeout(ctx, ioTime)
	defer cancel()
	data, err := r.encode()
	if err != nil {
		return err
	}
	if revision == 0 {
		_, err = l.bucket().Create(ctx, key, data)
	} else {
		_, err = l.bucket().Update(ctx, key, data, revision)
	}
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) {
		return errConflict
	}
	if err != nil {
		return fmt.Errorf("writing the lease %s: %w", key, err)
	}
	return nil
}
