package status

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is a headless Chromium with one page, driven over a pair of pipes: one
// JSON message and a zero byte each.
type browser struct {
	t       testing.TB
	in      *os.File
	session string

	mu      sync.Mutex
	last    int
	answers map[int]chan message
	events  []message
	arrived chan struct{} // closed and replaced when an event comes
}

type message struct {
	ID        int             `json:"id,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    json.RawMessage `json:"params,omitempty"`
	Session   string          `json:"sessionId,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Complaint *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

func (b *browser) read(out *os.File) {
	lines := bufio.NewReaderSize(out, 1<<20)
	for {
		data, err := lines.ReadBytes(0)
		if err != nil {
			b.mu.Lock()
			for id, answer := range b.answers {
				close(answer)
				delete(b.answers, id)
			}
			b.last = -1
			b.mu.Unlock()
			return
		}
		var m message
		if json.Unmarshal(data[:len(data)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		if answer := b.answers[m.ID]; answer != nil {
			answer <- m
			delete(b.answers, m.ID)
		} else {
			b.events = append(b.events, m)
			close(b.arrived)
			b.arrived = make(chan struct{})
		}
		b.mu.Unlock()
	}
}

var errGone = errors.New("the browser has gone")

func (b *browser) ask(method string, params any) (json.RawMessage, error) {
	answer := make(chan message, 1)
	b.mu.Lock()
	if b.last < 0 {
		b.mu.Unlock()
		return nil, errGone
	}
	b.last++
	m := message{ID: b.last, Method: method, Session: b.session}
	b.answers[m.ID] = answer
	b.mu.Unlock()
	if params != nil {
		m.Params, _ = json.Marshal(params)
	}
	data, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if _, err := b.in.Write(append(data, 0)); err != nil {
		return nil, err
	}
	select {
	case got, ok := <-answer:
		switch {
		case !ok:
			return nil, errGone
		case got.Complaint != nil:
			return nil, errors.New(got.Complaint.Message)
		}
		return got.Result, nil
	case <-time.After(time.Minute):
		return nil, fmt.Errorf("%s: no answer in a minute", method)
	}
}

func (b *browser) do(method string, params, result any) {
	b.t.Helper()
	data, err := b.ask(method, params)
	if err == nil && result != nil {
		err = json.Unmarshal(data, result)
	}
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

// eval runs JavaScript, awaits what it gives and reads that as JSON.
func (b *browser) eval(js string, into any) {
	b.t.Helper()
	var got struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	b.do("Runtime.evaluate", map[string]any{"expression": js, "awaitPromise": true, "returnByValue": true}, &got)
	if got.Exception != nil {
		b.t.Fatalf("%.200s: %s %s", js, got.Exception.Text, got.Exception.Exception.Description)
	}
	if into != nil {
		if err := json.Unmarshal(got.Result.Value, into); err != nil {
			b.t.Fatalf("%.200s gave %s: %v", js, got.Result.Value, err)
		}
	}
}

// await waits until JavaScript gives true, looking again whenever the page changes.
func (b *browser) await(js string) {
	b.t.Helper()
	var ok bool
	b.eval(`new Promise(done => {
		const look = () => { if (`+js+`) { watch.disconnect(); done(true); } };
		const watch = new MutationObserver(look);
		watch.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
		setTimeout(() => { watch.disconnect(); done(false); }, 40000);
		look();
	})`, &ok)
	if !ok {
		b.t.Fatalf("the page never came to: %s", js)
	}
}

// open loads an address, and waits until it is there.
func (b *browser) open(url string) {
	b.t.Helper()
	b.mu.Lock()
	seen := len(b.events)
	b.mu.Unlock()
	b.do("Page.navigate", map[string]any{"url": url}, nil)
	limit := time.After(time.Minute)
	for {
		b.mu.Lock()
		arrived, fresh := b.arrived, b.events[seen:]
		seen = len(b.events)
		b.mu.Unlock()
		for _, m := range fresh {
			if m.Method == "Page.loadEventFired" {
				return
			}
		}
		select {
		case <-arrived:
		case <-limit:
			b.t.Fatalf("%s was not loaded in a minute", url)
		}
	}
}

// look sets the size of the window and the scheme, "light" or "dark".
func (b *browser) look(width, height int, scheme string) {
	b.t.Helper()
	b.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
	b.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{
		{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"},
	}}, nil)
}

// press presses a key.
func (b *browser) press(key string, code int) {
	b.t.Helper()
	for _, kind := range []string{"rawKeyDown", "keyUp"} {
		b.do("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}, nil)
	}
}

// shoot keeps a picture of the page, where WOLKPIPE_SHOTS names a folder.
func (b *browser) shoot(name string, whole bool) {
	folder := os.Getenv("WOLKPIPE_SHOTS")
	if folder == "" {
		return
	}
	b.t.Helper()
	var shot struct {
		Data string `json:"data"`
	}
	b.do("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": whole}, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(folder+"/"+name+".png", data, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// troubles are what the page complained of, and requests to anything but base.
func (b *browser) troubles(base string) (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.events {
		var p struct {
			Type  string `json:"type"`
			Entry struct {
				Level string `json:"level"`
				Text  string `json:"text"`
				URL   string `json:"url"`
			} `json:"entry"`
			Request struct {
				URL string `json:"url"`
			} `json:"request"`
		}
		_ = json.Unmarshal(m.Params, &p)
		switch {
		case m.Method == "Runtime.exceptionThrown", m.Method == "Runtime.consoleAPICalled",
			m.Method == "Log.entryAdded" && p.Entry.Level != "verbose":
			all = append(all, m.Method+": "+string(m.Params))
		case m.Method == "Network.requestWillBeSent" && !strings.HasPrefix(p.Request.URL, base+"/"):
			all = append(all, "a request to "+p.Request.URL)
		}
	}
	return all
}
