package broker

import (
	"crypto/rand"
	"fmt"
	"strings"

	"wolkpipe/schemas"
)

// What connections without credentials may do.
//
// Permissions alone would not hold them: a client may name any subject to be
// answered on, and a stream stores what arrives on its subjects, whoever sent
// it. So they live in an account without streams, which imports these
// subjects of the owner's account and no others. Answers are mapped back into
// that account by the server. Where a request tells the server to publish
// elsewhere, which is how push consumers work, it goes through the gate.

const (
	anonymous = "anonymous"

	// gatePrefix is where the gate takes requests of the public account,
	// each for the request of the server's API that the rest names.
	gatePrefix = "wolkpipe.public."

	// deliveryPrefix is where push consumers of the public account deliver
	// to, before the subject that they asked for.
	deliveryPrefix = "wolkpipe.delivery."

	apiPrefix   = "$JS.API."
	inboxPrefix = "_INBOX."
)

// served is a request that the public account may make, on the subject of the
// server's own API.
type served struct {
	subject string
	gate    bool // goes through the gate
	many    bool // has more than one answer
}

func publicServices() []served {
	const events = schemas.EventsStream
	return []served{
		{subject: apiPrefix + "INFO", gate: true},
		{subject: apiPrefix + "STREAM.NAMES", gate: true},
		{subject: apiPrefix + "STREAM.INFO." + events},
		{subject: apiPrefix + "CONSUMER.CREATE." + events, gate: true},
		{subject: apiPrefix + "CONSUMER.CREATE." + events + ".>", gate: true},
		{subject: apiPrefix + "CONSUMER.DURABLE.CREATE." + events + ".*", gate: true},
		{subject: apiPrefix + "CONSUMER.INFO." + events + ".*", gate: true},
		{subject: apiPrefix + "CONSUMER.DELETE." + events + ".*"},
		{subject: apiPrefix + "CONSUMER.MSG.NEXT." + events + ".*", many: true},
		{subject: "$JS.ACK." + events + ".>"},
		{subject: "$JS.FC." + events + ".>"},
	}
}

// exported is the subject in the owner's account.
func (s served) exported() string {
	if s.gate {
		return gatePrefix + strings.TrimPrefix(s.subject, apiPrefix)
	}
	return s.subject
}

// exports is the owner's half, in the server's configuration language.
func exports() string {
	var b strings.Builder
	for _, s := range publicServices() {
		answers := "Singleton"
		if s.many {
			answers = "Stream"
		}
		fmt.Fprintf(&b, "      {service: %q, accounts: [%s], response_type: %s}\n", s.exported(), publicAccount, answers)
	}
	for _, stream := range []string{schemas.EventsSubjects, deliveryPrefix + inboxPrefix + ">"} {
		fmt.Fprintf(&b, "      {stream: %q, accounts: [%s]}\n", stream, publicAccount)
	}
	return b.String()
}

// publicAccountText is the public account, in the same language.
func publicAccountText() string {
	var b, publish strings.Builder
	fmt.Fprintf(&b, "  %s {\n    imports: [\n", publicAccount)
	for _, s := range publicServices() {
		fmt.Fprintf(&b, "      {service: {account: %s, subject: %q}, to: %q}\n", ownerAccount, s.exported(), s.subject)
		fmt.Fprintf(&publish, "%q, ", s.subject)
	}
	fmt.Fprintf(&b, "      {stream: {account: %s, subject: %q}}\n", ownerAccount, schemas.EventsSubjects)
	fmt.Fprintf(&b, "      {stream: {account: %s, subject: %q}, to: %q}\n    ]\n",
		ownerAccount, deliveryPrefix+inboxPrefix+">", inboxPrefix+">")
	fmt.Fprintf(&b, "    users: [{user: %s, password: %q, permissions: {publish: [%s], subscribe: [%q, %q]}}]\n  }\n",
		anonymous, rand.Text(), strings.TrimSuffix(publish.String(), ", "), schemas.EventsSubjects, inboxPrefix+">")
	return b.String()
}
