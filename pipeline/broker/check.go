package broker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// SettingError is a setting of an existing stream that would break the
// pipeline's guarantees.
type SettingError struct {
	Stream  string
	Setting string // as the server's API names it
	Have    string
	Want    string
	Mend    string // a command, or what to do where none does
}

func (e *SettingError) Error() string {
	return fmt.Sprintf("stream %s has %s %s and must have %s: %s", e.Stream, e.Setting, e.Have, e.Want, e.Mend)
}

// check compares what a stream has with what it must have. Settings that
// harm nothing (description, compression, placement, more replicas) are free.
func check(want, have jetstream.StreamConfig) []error {
	var errs []error
	add := func(ok bool, setting string, has, must any, flags string) {
		if ok {
			return
		}
		mend := "nats stream edit " + want.Name + " " + flags
		if flags == "" {
			mend = "no edit can change that: rename or remove the stream, and start again"
		}
		errs = append(errs, &SettingError{want.Name, setting, fmt.Sprint(has), fmt.Sprint(must), mend})
	}
	unlimited := func(setting string, n int64, flag string) {
		add(n <= 0, setting, n, "none", flag+"=-1")
	}
	add(slices.Equal(have.Subjects, want.Subjects), "subjects", have.Subjects, want.Subjects,
		"--subjects='"+strings.Join(want.Subjects, ",")+"'")
	add(have.Storage == want.Storage, "storage", have.Storage, want.Storage, "")
	add(have.Retention == want.Retention, "retention", have.Retention, want.Retention, "--retention=limits")
	add(have.MaxAge == 0, "max_age", have.MaxAge, "none", "--max-age=0")
	unlimited("max_msgs", have.MaxMsgs, "--max-msgs")
	unlimited("max_bytes", have.MaxBytes, "--max-bytes")
	if want.MaxMsgsPerSubject < 1 { // a bucket keeps any number of old values
		unlimited("max_msgs_per_subject", have.MaxMsgsPerSubject, "--max-msgs-per-subject")
	}
	unlimited("max_msg_size", int64(have.MaxMsgSize), "--max-msg-size")
	add(have.Replicas >= want.Replicas, "num_replicas", have.Replicas, want.Replicas, fmt.Sprintf("--replicas=%d", want.Replicas))
	add(have.Duplicates <= want.Duplicates, "duplicate_window", have.Duplicates, want.Duplicates,
		"--dupe-window="+want.Duplicates.String())
	add(!have.NoAck, "no_ack", true, false, "--ack")
	add(have.AllowAtomicPublish || !want.AllowAtomicPublish, "allow_atomic", false, true, "--allow-batch")
	add(have.AllowRollup || !want.AllowRollup, "allow_rollup_hdrs", false, true, "--allow-rollup")
	add(!have.DenyPurge || !want.AllowRollup, "deny_purge", true, false, "")
	add(have.AllowMsgTTL || !want.AllowMsgTTL, "allow_msg_ttl", false, true, "--allow-msg-ttl")
	add(!have.AllowDirect || want.AllowDirect, "allow_direct", true, false, "--no-allow-direct")
	add(have.MaxConsumers <= 0, "max_consumers", have.MaxConsumers, "none", "")
	add(have.ConsumerLimits == jetstream.StreamConsumerLimits{}, "consumer_limits", "some", "none", "--interactive")
	add(have.SubjectDeleteMarkerTTL == 0, "subject_delete_marker_ttl", have.SubjectDeleteMarkerTTL, "none", "")
	add(have.PersistMode == jetstream.DefaultPersistMode, "persist_mode", have.PersistMode, jetstream.DefaultPersistMode, "")
	add(!have.Sealed, "sealed", true, false, "")
	add(have.Mirror == nil, "mirror", "set", "none", "--no-mirror")
	add(len(have.Sources) == 0, "sources", "set", "none", "")
	add(have.SubjectTransform == nil, "subject_transform", "set", "none", "--no-transform")
	return errs
}
