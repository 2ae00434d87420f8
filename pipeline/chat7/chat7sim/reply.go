package chat7sim

import (
	"bytes"
	"compress/gzip"
	"html"
	"net/http"
	"strconv"
	"strings"
)

// reply is an answer before it is written.
type reply struct {
	status  int    // HTTP
	code    string // JSON; "": the status
	errText string // "": null
	msg     string
	data    string // JSON; "": no such key
	rows    int
	result  Result

	page       string // HTML in place of all the above
	before     string // in front of the body
	ending     ending
	gzip       bool
	retryAfter string
}

// ending is how an answer is cut off.
type ending int

const (
	whole    ending = iota
	dropped         // not a byte is sent
	cut             // the connection is closed in the middle
	cutShort        // half is sent, as if that were all
)

func refuse(status int, msg string, result Result) *reply {
	return &reply{status: status, errText: strings.ToUpper(http.StatusText(status)), msg: msg, result: result}
}

// spoil lets the faults of writing strike a reply.
func (c *call) spoil(rep *reply) {
	f := c.op.faults
	records := rep.status == http.StatusOK && rep.data != ""
	if records && c.hit(f.OddMsg, "odd_msg") {
		rep.msg = strconv.Itoa(pick(c.rng, []int{0, rep.rows + 1, rep.rows * 7})) + " records were found"
	}
	if c.hit(f.OddCode, "odd_code") {
		switch {
		case rep.code != "":
			rep.code = `"` + rep.code + `"`
		case rep.status == http.StatusOK:
			rep.code = pick(c.rng, []string{`"200"`, `"0"`, `" "`, `""`})
		default:
			rep.code = `"` + strconv.Itoa(rep.status) + `"`
		}
	}
	if c.hit(f.BOM, "bom") {
		rep.before = "\ufeff"
	}
	if c.hit(f.PHPWarning, "php_warning") {
		rep.before += "<br />\n<b>Warning</b>:  Undefined array key \"skill\" in <b>/var/www/html/api/v2/reports_manager.php</b> on line <b>214</b><br />\n"
	}
	if c.hit(f.Gzip, "gzip") {
		rep.gzip = true
	}
	switch {
	case c.hit(f.HTMLPage, "html_page"):
		*rep = reply{status: http.StatusOK, page: page("Wolkvox: sesión terminada"), result: Broken}
	case c.hit(f.ErrorUnder200, "error_under_200"):
		instead := refuse(http.StatusForbidden, msgMaintenance, Broken)
		if c.rng.IntN(2) == 0 {
			instead = refuse(http.StatusInternalServerError, "INTERNAL SERVER ERROR", Broken)
		}
		instead.code, instead.status = strconv.Itoa(instead.status), http.StatusOK
		*rep = *instead
	case c.hit(f.CutShort, "cut_short"):
		rep.ending, rep.result = cutShort, Broken
	case c.hit(f.Cut, "cut"):
		rep.ending, rep.result = cut, Broken
	}
	if rep.result == Broken {
		rep.rows = 0
	}
}

// page is a web server's own page.
func page(title string) string {
	title = html.EscapeString(title)
	return "<!DOCTYPE html>\n<html><head><title>" + title + "</title></head>\n<body><h1>" + title + "</h1><hr><center>nginx</center></body></html>\n"
}

// body is the reply as text.
func (rep *reply) body() []byte {
	if rep.page != "" {
		return []byte(rep.page)
	}
	b := make([]byte, 0, len(rep.data)+256)
	b = append(b, rep.before...)
	b = append(b, `{"code":`...)
	if rep.code == "" {
		b = strconv.AppendInt(b, int64(rep.status), 10)
	} else {
		b = append(b, rep.code...)
	}
	b = append(b, `,"error":`...)
	if rep.errText == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, rep.errText)
	}
	b = append(b, `,"msg":`...)
	b = appendString(b, rep.msg)
	if rep.data != "" {
		b = append(b, `,"data":`...)
		b = append(b, rep.data...)
	}
	return append(b, '}')
}

// write sends the reply, or as much of it as is to be sent.
func (rep *reply) write(w http.ResponseWriter, r *http.Request) {
	if rep.ending == dropped {
		panic(http.ErrAbortHandler)
	}
	body := rep.body()
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	if rep.page != "" {
		h.Set("Content-Type", "text/html; charset=utf-8")
	}
	if rep.retryAfter != "" {
		h.Set("Retry-After", rep.retryAfter)
	}
	if rep.ending == cutShort {
		body = body[:len(body)/2]
	}
	if rep.gzip && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var buf bytes.Buffer
		zw := gzip.NewWriter(&buf)
		_, _ = zw.Write(body) // a buffer takes everything
		_ = zw.Close()
		body = buf.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(rep.status)
	if rep.ending == cut {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body) // the client has gone: nobody is left to tell
}
