package chat7

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const informationPath = "api/v2/information.php"

// TokenInfo is the state of a token's quota, in calls of the source's day. A
// nil field was not told.
type TokenInfo struct {
	Limit     *int64 // token_limit: calls a day of this token
	Used      *int64 // token_use_today: by this token
	AllUsed   *int64 // all_token_today: by all tokens of the operation
	Available *int64 // available_consumption_options: calls left
}

// TokenInfo asks how much of the quota is used; the call itself costs one.
//
// An error is an [*Error]; an answer that tells none of the fields is one.
func (c *Client) TokenInfo(ctx context.Context) (TokenInfo, error) {
	got, err := c.call(ctx, "token_info", informationPath, "api=token_info")
	if err != nil {
		return TokenInfo{}, err
	}
	var info TokenInfo
	if got.envelope != nil {
		if object := got.envelope.object(); object != nil {
			info.read(object)
		}
	}
	if info == (TokenInfo{}) {
		return info, got.fail(Transient, errors.New("the answer tells nothing of the quota"))
	}
	return info, nil
}

// object is the object that data is, or begins with where it is a list; nil if
// there is none.
func (e *envelope) object() []byte {
	object := e.data
	if len(object) > 0 && object[0] == '[' {
		object = nil
		if first := elements(e.data, 1); len(first) > 0 {
			object = first[0]
		}
	}
	if len(object) == 0 || object[0] != '{' {
		return nil
	}
	return object
}

func (t *TokenInfo) read(object []byte) {
	members(object, func(key string, value []byte) bool {
		switch key {
		case "token_limit":
			t.Limit = count(value)
		case "token_use_today":
			t.Used = count(value)
		case "all_token_today":
			t.AllUsed = count(value)
		case "available_consumption_options":
			t.Available = count(value)
		}
		return true
	})
}

// count reads a whole number, as number or string, its thousands with or
// without commas; nil for anything else.
func count(value []byte) *int64 {
	text := scalar(value)
	if groups := strings.Split(strings.TrimPrefix(text, "-"), ","); len(groups) > 1 {
		for i, group := range groups {
			if len(group) > 3 || group == "" || i > 0 && len(group) != 3 {
				return nil
			}
		}
		text = strings.ReplaceAll(text, ",", "")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// ActivityCode is a code that agents can close an interaction with, its values
// as the source words them: a text's content, or the JSON of another value. A
// nil field was absent or null.
type ActivityCode struct {
	Code        *string // cod_act or code_act; nil too where that is no text or number
	Description *string // description_cod_act; nil too where that is no text or number
	Hit         *string
	RPC         *string
	Chat        *string
	Voice       *string
	TypeCode    *string
}

// ActivityCodes asks for the operation's codes as they now are; none means
// that the source said so. They can be edited and deleted there. An entry may
// lack its code, but a list in which all do is taken for something else.
//
// An error is an [*Error].
func (c *Client) ActivityCodes(ctx context.Context) ([]ActivityCode, error) {
	got, err := c.call(ctx, "activity_codes", informationPath, "api=activity_codes")
	if err != nil {
		return nil, err
	}
	var rows []json.RawMessage
	if got.envelope != nil && got.envelope.data[0] == '{' {
		rows = []json.RawMessage{got.envelope.data} // a single code, not in a list
	} else if rows, err = c.list(got); err != nil {
		return nil, err
	}
	codes, err := readCodes(rows)
	if err != nil {
		return nil, got.fail(Transient, err)
	}
	return codes, nil
}

func readCodes(rows []json.RawMessage) ([]ActivityCode, error) {
	codes, named := make([]ActivityCode, len(rows)), false
	for i, row := range rows {
		if row[0] != '{' {
			return nil, fmt.Errorf("code %d of the answer is not an object", i+1)
		}
		codes[i].read(row)
		named = named || codes[i].Code != nil
	}
	if len(rows) > 0 && !named {
		return nil, errors.New("nothing in the answer has a cod_act")
	}
	return codes, nil
}

func (a *ActivityCode) read(object json.RawMessage) {
	var other *string
	members(object, func(key string, value []byte) bool {
		switch key {
		case "cod_act":
			a.Code = name(value)
		case "code_act":
			other = name(value)
		case "description_cod_act":
			a.Description = name(value)
		case "hit":
			a.Hit = text(value)
		case "rpc":
			a.RPC = text(value)
		case "chat":
			a.Chat = text(value)
		case "voice":
			a.Voice = text(value)
		case "type_code":
			a.TypeCode = text(value)
		}
		return true
	})
	if a.Code == nil {
		a.Code = other
	}
}

// name is text for what a row may be called: a text or a number. No row has
// another value as its code.
func name(value []byte) *string {
	switch value[0] {
	case '{', '[', 't', 'f':
		return nil
	}
	return text(value)
}

// text is a string's content as sent, or the JSON of another value; nil for
// null.
func text(value []byte) *string {
	s := string(value)
	switch value[0] {
	case 'n':
		return nil
	case '"':
		_ = json.Unmarshal(value, &s) // valid, so it decodes
	}
	return &s
}
