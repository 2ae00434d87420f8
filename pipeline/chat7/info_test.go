package chat7

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

func TestTokenInfo(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       string // JSON of the four fields
	}{
		{"texts", `[{"token_limit":"1000","token_use_today":"12","all_token_today":"15","available_consumption_options":"985"}]`, `[1000,12,15,985]`},
		{"numbers", `{"token_limit":1000,"token_use_today":0,"all_token_today":0,"available_consumption_options":-3}`, `[1000,0,0,-3]`},
		{"commas", `[{"token_limit":"1,000","token_use_today":" 12 ","all_token_today":"1,2","available_consumption_options":"12,345,678"}]`, `[1000,12,null,12345678]`},
		{"missing", `[{"token_limit":"1000","token_use_today":"","all_token_today":null,"x":{}}]`, `[1000,null,null,null]`},
		{"no numbers", `[{"token_limit":"5","token_use_today":"many","all_token_today":1.5,"available_consumption_options":{}}]`, `[5,null,null,null]`},
		{"odd groups", `[{"token_limit":5,"token_use_today":",100","all_token_today":"1,0000","available_consumption_options":"1,,000"}]`, `[5,null,null,null]`},
	} {
		client := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
			if r.RequestURI != "/api/v2/information.php?api=token_info" {
				t.Error(r.RequestURI)
			}
			_, _ = io.WriteString(w, `{"code":"200","error":null,"data":`+c.data+`}`)
		})
		info, err := client.TokenInfo(t.Context())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		got, _ := json.Marshal([]*int64{info.Limit, info.Used, info.AllUsed, info.Available})
		if string(got) != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for _, body := range []string{
		`{"code":200,"msg":"","data":[]}`, `{"code":200,"data":[1]}`, `{"code":200,"data":""}`, `{"code":200,"data":[{}]}`,
		`{"code":200,"msg":""}`, `{"code":404,"msg":"Validate dates entered"}`, ``,
	} {
		client := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		_, err := client.TokenInfo(t.Context())
		_ = failureOf(t, err, Transient)
	}
}

func TestActivityCodes(t *testing.T) {
	body := `{"code":200,"data":[
		{"cod_act":"0012","description_cod_act":"Acuerdo de pago ","hit":"1","rpc":0,"chat":true,"voice":null,"type_code":"A","new":[1]},
		{"code_act":13}, {"code_act":"no","cod_act":""}, {"cod_act":null,"code_act":"14"}, {},
		{"cod_act":true,"description_cod_act":["x"],"hit":[1]}]}`
	client := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != "/api/v2/information.php?api=activity_codes" {
			t.Error(r.RequestURI)
		}
		_, _ = io.WriteString(w, body)
	})
	codes, err := client.ActivityCodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(codes)
	const rest = `"Description":null,"Hit":null,"RPC":null,"Chat":null,"Voice":null,"TypeCode":null}`
	want := `[{"Code":"0012","Description":"Acuerdo de pago ","Hit":"1","RPC":"0","Chat":"true","Voice":null,"TypeCode":"A"},` +
		`{"Code":"13",` + rest + `,{"Code":"",` + rest + `,{"Code":"14",` + rest + `,{"Code":null,` + rest +
		`,{"Code":null,"Description":null,"Hit":"[1]","RPC":null,"Chat":null,"Voice":null,"TypeCode":null}]`
	if string(got) != want {
		t.Errorf("%s\nwant %s", got, want)
	}

	body = `{"code":200,"data":{"code_act":"0012"}}`
	if codes, err := client.ActivityCodes(t.Context()); err != nil || len(codes) != 1 || *codes[0].Code != "0012" {
		t.Errorf("a code that is not in a list: %v, %v", codes, err)
	}
	for _, body = range []string{
		`{"code":404,"msg":""}`, `{"code":200,"data":[]}`, `{"code":200,"msg":"","data":null}`, `{"code":200,"msg":""}`,
	} {
		if codes, err := client.ActivityCodes(t.Context()); err != nil || len(codes) != 0 {
			t.Errorf("%s: %v, %v", body, codes, err)
		}
	}
	for _, body = range []string{
		`{"code":200,"data":{}}`, `{"code":200,"data":["0012"]}`, `{}`, `{"code":200,"data":"0012"}`, `{"code":404,"data":{"cod_act":"1"}}`,
		`{"code":200,"data":[{"codigo":"0012"},{"cod_act":null}]}`, `{"code":200,"data":[{"cod_act":"1"},null]}`,
	} {
		codes, err := client.ActivityCodes(t.Context())
		if failure := failureOf(t, err, Transient); codes != nil || failure.Op != "activity_codes" {
			t.Errorf("%s: %v, %v", body, codes, failure)
		}
	}

	client = serve(t, func(o *Options) { o.RowCap = 2 }, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"code":200,"data":[{"cod_act":"1"},{"cod_act":"2"}]}`)
	})
	_, err = client.ActivityCodes(t.Context())
	_ = failureOf(t, err, Truncated)
}
