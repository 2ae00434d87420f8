package chat7

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const row = `{"interactions":"3","agent_name":"COM-Ana  Niño","cod_act":"0012"}`

// outcome of a body under a status: a kind, or "empty", or "rows:<n>".
var oddities = []struct {
	name   string
	status int
	body   string
	want   string
}{
	{"rows", 200, `{"code":200,"error":null,"msg":"1 records were found","data":[` + row + `]}`, "rows:1"},
	{"code as text", 200, `{"code":"200","error":"","msg":"","data":[` + row + `,` + row + `]}`, "rows:2"},
	{"code zero as text", 200, `{"code":"0","error":null,"data":[` + row + `]}`, "rows:1"},
	{"code a space", 200, `{"code":" ","error":null,"data":[` + row + `]}`, "rows:1"},
	{"code nothing", 200, `{"code":"","data":[` + row + `]}`, "rows:1"},
	{"code null", 200, `{"code":null,"data":[` + row + `]}`, "rows:1"},
	{"code absent", 200, `{"msg":"","data":[` + row + `]}`, "rows:1"},
	{"unknown keys", 200, `{"v":[{"code":404}],"code":200,"x":{"data":[]},"data":[` + row + `],"Data":[]}`, "rows:1"},
	{"msg says none", 200, `{"code":200,"msg":"0 records, validate dates entered","data":[` + row + `]}`, "rows:1"},
	{"msg says an error", 200, `{"code":200,"msg":"TOKEN LIMIT EXCEEDED","data":[` + row + `]}`, "rows:1"},
	{"escaped key", 200, `{"c\u006fde":200,"dat\u0061":[` + row + `]}`, "rows:1"},
	{"rows that are no objects", 200, `{"code":200,"data":[null,1,"a",[]]}`, "rows:4"},
	{"byte-order mark", 200, "\ufeff" + ` {"code":200,"data":[` + row + `]}` + "\r\n\t ", "rows:1"},
	{"warning", 200, "<br />\n<b>Warning</b>:  Undefined index in <b>/var/x.php</b> on line <b>3</b><br />\n" + `{"code":200,"data":[` + row + `]}`, "rows:1"},
	{"warning with braces", 200, "PHP Notice: {main} {\"a\":1} {\"b\": {} in {closure}\n" + `{"code":200,"data":[` + row + `]}`, "rows:1"},
	{"mark, warning, mark", 200, "\ufeff\nWarning: x\n\ufeff" + `{"code":200,"data":[` + row + `]}`, "rows:1"},

	{"404", 404, `{"code":404,"error":"NOT FOUND","msg":"Validate dates entered","data":null}`, "empty"},
	{"404 as text", 404, `{"code":"404","error":null,"msg":"Validate dates entered"}`, "empty"},
	{"404 under 200", 200, `{"code":404,"msg":"Validate dates entered","data":[]}`, "empty"},
	{"404 behind a warning", 404, "<b>Notice</b>: {x}\n" + `{"code":404,"msg":"no"}`, "empty"},
	{"200 empty list", 200, `{"code":200,"error":null,"msg":"3 records were found","data":[ ]}`, "empty"},
	{"200 null", 200, `{"code":"200","error":null,"msg":"","data":null}`, "empty"},
	{"200 absent", 200, `{"code":"200","error":null,"msg":""}`, "empty"},
	{"200 and an error's message", 200, `{"code":200,"msg":"TOKEN LIMIT EXCEEDED","data":[]}`, "empty"},
	{"blank and a list", 200, `{"code":" ","error":"","data":[]}`, "empty"},
	{"zero and null", 200, `{"code":"0","error":null,"data":null}`, "empty"},

	// Failures that must never pass for empty.
	{"nothing", 200, ``, "transient"},
	{"spaces", 200, " \n", "transient"},
	{"a mark alone", 200, "\ufeff", "transient"},
	{"no member", 200, `{}`, "transient"},
	{"null", 200, `null`, "transient"},
	{"list", 200, `[]`, "transient"},
	{"list of an envelope", 200, `[{"code":404,"msg":""}]`, "transient"},
	{"cut list", 200, `[1,{"code":404,"msg":""}`, "transient"},
	{"cut list behind a mark", 200, "\ufeff" + `[1,{"code":404,"msg":""}`, "transient"},
	{"broken wrapper behind a mark", 200, " \ufeff" + `{"a" "b",{"code":404,"msg":"","data":[]}`, "transient"},
	{"text", 200, `"{"code":404,"msg":""}`, "transient"},
	{"page", 200, `<!DOCTYPE html><html><body>Login</body></html>`, "transient"},
	{"page with an envelope", 200, `<HTML><p>{"code":404,"msg":""}`, "transient"},
	{"blank, data absent", 200, `{"code":"","error":null,"msg":""}`, "transient"},
	{"zero, data absent", 200, `{"code":"0","msg":"0 records"}`, "transient"},
	{"absent code, no rows", 200, `{"error":null,"msg":"","data":[]}`, "transient"},
	{"code alone", 200, `{"code":200}`, "transient"},
	{"an error beside 200", 200, `{"code":200,"error":"INTERNAL","msg":"","data":[]}`, "transient"},
	{"an error beside 200 and rows", 200, `{"code":200,"error":"INTERNAL","data":[` + row + `]}`, "transient"},
	{"an error beside a blank", 200, `{"code":"","error":"INTERNAL","data":[]}`, "transient"},
	{"another code", 200, `{"code":204,"msg":"","data":[]}`, "transient"},
	{"code a word", 200, `{"code":"OK","msg":"","data":[]}`, "transient"},
	{"data an object", 200, `{"code":200,"data":{}}`, "transient"},
	{"data a text", 200, `{"code":200,"data":""}`, "transient"},
	{"data false", 200, `{"code":200,"data":false}`, "transient"},
	{"two codes", 200, `{"code":404,"code":500,"msg":""}`, "transient"},
	{"two data", 200, `{"code":200,"data":[` + row + `],"data":[]}`, "transient"},
	{"cut in a row", 200, `{"code":200,"data":[` + row + `,{"inter`, "transient"},
	{"cut before the end", 200, `{"code":404,"msg":"","data":[]`, "transient"},
	{"cut wrapper", 200, `{"wrapper":{"code":404,"msg":"","data":[]}`, "transient"},
	{"broken wrapper", 200, `{"a" "b",{"code":404,"msg":"","data":[]}`, "transient"},
	{"cut wrapper behind a warning", 200, `Warning: {"w":{"code":404,"msg":"","data":[]}`, "transient"},
	{"trailing", 200, `{"code":404,"msg":"","data":[]} Fatal error`, "transient"},
	{"trailing envelope", 200, `{"code":200,"data":[` + row + `]}{"code":404,"msg":""}`, "transient"},
	{"trailing behind a warning", 200, `Warning {"code":200,"data":[` + row + `]}{"code":404,"msg":""}`, "transient"},
	{"trailing in a wrapper behind a warning", 200, `Warning: [{"code":404,"msg":""}]`, "transient"},
	{"404 empty body", 404, ``, "transient"},
	{"404 page", 404, `<html><head><title>404 Not Found</title></head></html>`, "transient"},
	{"404 of a proxy", 404, `{"message":"no Route matched with those values"}`, "transient"},
	{"404 of another service", 404, `{"code":404,"message":"HTTP 404 Not Found"}`, "transient"},
	{"404 of a framework", 404, `{"code":404,"error":"Not Found","path":"/"}`, "transient"},
	{"404 and rows", 404, `{"code":404,"msg":"","data":[` + row + `]}`, "transient"},
	{"404 and an object", 404, `{"code":404,"msg":"","data":{}}`, "transient"},
	{"404 and code 200", 404, `{"code":200,"msg":"","data":[]}`, "transient"},
	{"404 and code 200 and rows", 404, `{"code":200,"data":[` + row + `]}`, "transient"},
	{"404 and a blank code", 404, `{"code":"","msg":"","data":[]}`, "transient"},
	{"404 and rows under 200", 200, `{"code":404,"msg":"","data":[` + row + `]}`, "transient"},
	{"404 that speaks of the quota", 404, `{"code":404,"msg":"TOKEN LIMIT EXCEEDED"}`, "transient"},
	{"no content", 204, ``, "transient"},
	{"partial content", 206, `{"code":404,"msg":"","data":[]}`, "transient"},
	{"redirect", 302, `{"code":404,"msg":"","data":[]}`, "transient"},
	{"500 empty", 500, `{"code":404,"msg":"","data":[]}`, "transient"},
	{"502 rows", 502, `{"code":200,"data":[` + row + `]}`, "transient"},
	{"503 that speaks of the token", 503, `{"code":403,"msg":"PLEASE VALIDATE TOKEN"}`, "transient"},
	{"500 under 200", 200, `{"code":500,"error":"INTERNAL","msg":"","data":[]}`, "transient"},

	// Refusals.
	{"400", 400, `{"code":400,"error":"BAD REQUEST","msg":"SOME PARAMETERS ARE REQUIRED"}`, "permanent"},
	{"400 under 200", 200, `{"code":"400","error":"BAD REQUEST","msg":"THE API YOU WANT TO CONSULT DOES NOT EXIST","data":[]}`, "permanent"},
	{"400 under 404", 404, `{"code":"400","error":"BAD REQUEST","msg":"SOME PARAMETERS ARE REQUIRED"}`, "permanent"},
	{"400 of a web server", 400, `<html>400 Bad Request</html>`, "transient"},
	{"401", 401, `{"code":401,"error":"UNAUTHORIZED","msg":"PLEASE ENTER THE WOLKVOX-TOKEN"}`, "bad_token"},
	{"401 under 200", 200, `{"code":401,"error":"UNAUTHORIZED","msg":"","data":[]}`, "bad_token"},
	{"401 of a proxy", 401, `Authorization required`, "unknown_forbidden"},
	{"403 bad token", 403, `{"code":403,"error":"FORBIDDEN","msg":"PLEASE VALIDATE TOKEN"}`, "bad_token"},
	{"403 bad token, spaced", 403, "{\"code\":403,\"error\":\"FORBIDDEN\",\"msg\":\" please  Validate \\n the token \"}", "bad_token"},
	{"403 quota", 403, `{"code":403,"error":"FORBIDDEN","msg":"TOKEN LIMIT EXCEEDED"}`, "quota"},
	{"403 quota, spaced", 200, `{"code":"403","error":"FORBIDDEN","msg":"token\t limit   exceeded.","data":[]}`, "quota"},
	{"quota and a blank code", 200, `{"code":"","error":"FORBIDDEN","msg":"TOKEN LIMIT EXCEEDED","data":[]}`, "quota"},
	{"403 concurrency", 403, `{"code":403,"error":"FORBIDDEN","msg":"EXCEEDS THE LIMIT OF SIMULTANEOUS REQUESTS PER TOKEN (2)"}`, "concurrency"},
	{"403 concurrency under 200", 200, `{"code":403,"msg":"Exceeds the limit of simultaneous requests per token (2)","data":null}`, "concurrency"},
	{"403 backup", 403, `{"code":403,"error":"FORBIDDEN","msg":"Server backup in progress"}`, "maintenance"},
	{"403 maintenance", 403, `{"code":403,"error":"FORBIDDEN","msg":"Under MAINTENANCE"}`, "maintenance"},
	{"403 mantenimiento", 403, `{"code":403,"error":"FORBIDDEN","msg":"Servidor en mantenimiento"}`, "maintenance"},
	{"403 copia", 403, `{"code":403,"error":"FORBIDDEN","msg":"Copia de  seguridad en curso"}`, "maintenance"},
	{"403 unknown", 403, `{"code":403,"error":"FORBIDDEN","msg":"IP NOT ALLOWED"}`, "unknown_forbidden"},
	{"403 unknown under 200", 200, `{"code":403,"error":"FORBIDDEN","msg":"IP NOT ALLOWED","data":[]}`, "unknown_forbidden"},
	{"403 page", 403, `<html>Access denied</html>`, "unknown_forbidden"},
	{"403 in plain text", 403, `TOKEN LIMIT EXCEEDED`, "quota"},
	{"403 and code 404", 403, `{"code":404,"msg":"","data":[]}`, "unknown_forbidden"},
	{"407", 407, ``, "transient"},
	{"429", 429, `{"code":429,"error":"","msg":"slow down"}`, "transient"},
	{"405 of a web server", 405, ``, "transient"},
}

func TestJudge(t *testing.T) {
	for _, o := range oddities {
		t.Run(o.name, func(t *testing.T) {
			if got := outcome(o.status, o.body); got != o.want {
				t.Errorf("HTTP %d %s\ngot  %s\nwant %s", o.status, o.body, got, o.want)
			}
		})
	}
}

// outcome judges as a call does.
func outcome(status int, body string) string {
	e, failure := judge(status, http.Header{}, []byte(body))
	switch {
	case failure != nil && e != nil:
		return "both"
	case failure != nil:
		return string(failure.Kind)
	case e == nil:
		return "empty"
	}
	rows, full, err := e.list(1000)
	switch {
	case err != nil:
		return string(Transient)
	case full:
		return string(Truncated)
	case len(rows) == 0:
		return "rows without rows"
	}
	return "rows:" + string(rune('0'+len(rows)))
}

func TestHintsNameTheMend(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   string
	}{
		{404, ``, "server or url"},
		{404, `{"message":"no Route matched"}`, "server or url"},
		{200, `<html></html>`, "server or url"},
		{405, ``, "server or url"},
		{407, ``, "HTTPS_PROXY"},
		{301, ``, "server or url"},
	} {
		_, failure := judge(c.status, http.Header{}, []byte(c.body))
		if failure == nil || !strings.Contains(failure.Hint, c.want) {
			t.Errorf("HTTP %d %q: %v, want a hint at %q", c.status, c.body, failure, c.want)
		}
	}
}

func TestNoiseIsBounded(t *testing.T) {
	envelope := `{"code":200,"data":[` + row + `]}`
	for name, noise := range map[string]string{
		"long":        strings.Repeat("x", noiseLimit+1),
		"many braces": "x" + strings.Repeat("{ ", noiseTries+1),
	} {
		if got := outcome(200, noise+envelope); got != "transient" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := outcome(200, "x"+strings.Repeat("{ ", noiseTries-1)+envelope); got != "rows:1" {
		t.Errorf("braces within the limit: %s", got)
	}
}

func TestRetryAfter(t *testing.T) {
	at := time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                                     0,
		"0":                                    0,
		" 30 ":                                 30 * time.Second,
		"3600":                                 time.Hour,
		"3601":                                 time.Hour,
		"99999999999999999999":                 time.Hour,
		"-5":                                   0,
		"soon":                                 0,
		at.Add(time.Minute).Format(timeGMT):    time.Minute,
		at.Add(-time.Minute).Format(timeGMT):   0,
		at.Add(48 * time.Hour).Format(timeGMT): time.Hour,
	} {
		h := http.Header{"Date": {at.Format(timeGMT)}, "Retry-After": {value}}
		if got := retryAfter(h); got != want {
			t.Errorf("Retry-After %q: %v, want %v", value, got, want)
		}
	}
	for _, status := range []int{429, 503, 403} {
		_, failure := judge(status, http.Header{"Retry-After": {"7"}}, nil)
		if failure == nil || failure.RetryAfter != 7*time.Second {
			t.Errorf("HTTP %d: %+v", status, failure)
		}
	}
}

const timeGMT = http.TimeFormat

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		" a \r\n\t b\u00a0c ":            "a b c",
		"a\x00\x1b[31mb\u200bc\xff":      "a[31mbc",
		"áéñ":                            "áéñ",
		strings.Repeat("ñ", 300):         strings.Repeat("ñ", 200),
		strings.Repeat("x", 199) + " yz": strings.Repeat("x", 199),
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
