package sandbox_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestChartPages(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	response, _ := b.get(r.origin + "/patients/pat-0001")
	if response.StatusCode != http.StatusSeeOther || !strings.HasPrefix(response.Header.Get("Location"), "/login?next=") {
		t.Fatalf("the chart is open to strangers: %d", response.StatusCode)
	}
	b.signIn("k.osei", "/")
	token := r.system("system/*.cruds")
	script := base64.StdEncoding.EncodeToString([]byte("<script>alert(1)</script>"))
	body := strings.Replace(note("pat-0001", "shown", "text/plain"), `"content":[`, `"description":"<b>Note</b>","content":[{"attachment":{"contentType":"text/html","data":"`+script+`"}},{"attachment":{"contentType":"application/pdf","url":"https://app.example/x"}},{"attachment":{"contentType":"image/svg+xml","data":"`+script+`"}},`, 1)
	document := r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: token, body: body}).want(t, http.StatusCreated).body["id"].(string)
	appointment, _ := r.anyAppointment()
	tests := []struct {
		path   string
		status int
		want   []string
	}{
		{"/", 200, []string{"My visits", `data-testid="launch-` + appointment + `"`, "Ana Ruiz"}},
		{"/patients", 200, []string{`data-patient-id="pat-0001"`, `data-patient-id="pat-0040"`, "40 patients"}},
		{"/patients?q=pena", 200, []string{"Marisol", "1 patient"}},
		{"/patients?q=nobody", 200, []string{"No patient matches"}},
		{"/patients/pat-0001", 200, []string{`data-testid="launch-` + appointment + `"`, `data-testid="launch-frame-` + appointment + `"`, `data-testid="document-` + document + `"`,
			"&lt;b&gt;Note&lt;/b&gt;", "Penicillin", "Hypertensive disorder|Asthma|Migraine", "she/her", "Spanish, interpreter"}},
		{"/patients/nobody", 404, []string{"no such patient"}},
		{"/visits/" + appointment, 200, []string{`data-testid="app-frame"`, "camera " + r.app, "Ana Ruiz"}},
		{"/visits/" + appointment + "?camera=off", 200, []string{`allow=""`}},
		{"/visits/nothing", 404, []string{"no such appointment"}},
		{"/launch/nothing", 404, []string{"no such appointment"}},
		{"/documents/" + document, 200, []string{"Hello é", `data-testid="attachment-frame-0"`, `data-testid="attachment-link-1"`, "https://app.example/x", "FHIR resource as received"}},
		{"/documents/nothing", 404, []string{"no such document"}},
		{"/documents/" + document + "/content/9", 404, []string{"no such attachment"}},
		{"/faults", 200, []string{"commit, then time out", "DocumentReference"}},
		{"/nowhere", 404, []string{"no page here"}},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			response, page := b.get(r.origin + test.path)
			if response.StatusCode != test.status {
				t.Fatalf("status = %d; want %d", response.StatusCode, test.status)
			}
			for _, want := range test.want {
				if !containsAny(page, strings.Split(want, "|")) {
					t.Errorf("the page lacks %q", want)
				}
			}
			if policy := response.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
				t.Errorf("policy = %q", policy)
			}
		})
	}
	t.Run("foreign content is shut in", func(t *testing.T) {
		for n, want := range map[string]string{"0": "text/html", "2": "application/octet-stream"} {
			response, _ := b.get(r.origin + "/documents/" + document + "/content/" + n)
			if policy := response.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "sandbox;") || response.Header.Get("Content-Type") != want {
				t.Errorf("content %s: %q %q", n, policy, response.Header.Get("Content-Type"))
			}
		}
	})
}

func containsAny(page string, wanted []string) bool {
	for _, want := range wanted {
		if strings.Contains(page, want) {
			return true
		}
	}
	return false
}

func TestFaultsPanel(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("admin", "/")
	armed := url.Values{"kind": {"commit_then_timeout"}, "match": {"Encounter"}, "times": {"2"}, "delay_ms": {"5"}}
	if response, _ := b.post(r.origin+"/faults", armed); response.StatusCode != http.StatusSeeOther {
		t.Fatalf("status = %d", response.StatusCode)
	}
	if list := r.sandbox.Faults().List(); len(list) != 1 || list[0].Match != "Encounter" || list[0].Times != 2 {
		t.Errorf("armed: %v", list)
	}
	for _, bad := range []url.Values{{"kind": {"meteor"}, "times": {"1"}, "delay_ms": {"0"}}, {"kind": {"5xx"}, "times": {"often"}, "delay_ms": {"0"}}} {
		if response, page := b.post(r.origin+"/faults", bad); response.StatusCode != http.StatusBadRequest || !strings.Contains(page, `role="alert"`) {
			t.Errorf("%v: %d", bad, response.StatusCode)
		}
	}
	b.post(r.origin+"/faults/clear", nil)
	if list := r.sandbox.Faults().List(); len(list) != 0 {
		t.Errorf("after clearing: %v", list)
	}
}

func TestLaunchComesFromTheChart(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("k.osei", "/")
	appointment, _ := r.anyAppointment()
	request, err := http.NewRequest(http.MethodGet, r.origin+"/launch/"+appointment, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	if response, _ := b.do(request); response.StatusCode != http.StatusForbidden {
		t.Errorf("another site launched: %d", response.StatusCode)
	}
}

func TestANewDayHasVisits(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	for range 3 {
		b.signIn("k.osei", "/")
		appointment, _ := r.anyAppointment()
		if _, page := b.get(r.origin + "/"); !strings.Contains(page, "launch-"+appointment) {
			t.Errorf("%s is not on the list of its day", appointment)
		}
		r.shift.Add(int64(24 * 60 * 60 * 1e9))
	}
}
