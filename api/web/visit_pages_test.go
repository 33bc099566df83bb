package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/scheduling"
)

// waitingRoom is a visit whose patient has come, checked the devices and agreed to be recorded.
func waitingRoom(t *testing.T) (*clinic, scheduling.VisitView, person) {
	t.Helper()
	c := openClinic(t)
	v := c.booked(c.clinician, c.admit("Patient/ana"), 10*time.Minute)
	patient := c.patientOf(v)
	c.expect(c.script(patient, "POST", "/visit/arrive", map[string]string{"camera": "ok", "microphone": "ok", "speaker": "skipped", "network": "poor"}, nil), 200)
	c.expect(c.script(patient, "POST", "/visit/consent", map[string]string{"answer": "yes"}, nil), 200)
	return c, v, patient
}

func TestAVisitFromWaitingToSigned(t *testing.T) {
	c, v, patient := waitingRoom(t)
	page := "/visits/" + v.ID.String()
	c.expect(c.get(c.clinician, page), 200, "Ana Ruiz", "12 Mar 1992", "··4417", "Camera: works", "Connection: weak", `data-testid="ws-start"`, "Ana Ruiz: yes")
	if seen := c.events("visit.viewed"); len(seen) != 1 || *seen[0].ActorID != c.clinician.actor.ID {
		t.Fatalf("opening the page is in the trail as %+v", seen)
	}

	c.expect(c.script(c.clinician, "POST", page+"/start", nil, nil), 200, `"in-call"`)
	var status struct{ Stage string }
	c.script(patient, "GET", "/visit/status", nil, &status)
	if status.Stage != "in-call" {
		t.Fatalf("the patient's page learns %q", status.Stage)
	}
	c.expect(c.script(c.clinician, "POST", page+"/recording/start", nil, nil), 200, `"running"`)
	c.expect(c.get(c.clinician, page+"/parts"), 200, `data-recording="running"`)
	c.expect(c.script(c.clinician, "POST", page+"/recording/stop", nil, nil), 200, `"finalizing"`)

	text := map[string]any{"version": 0, "subjective": "Cough <b>", "objective": "", "assessment": "Viral", "plan": "Rest"}
	c.expect(c.script(c.clinician, "PUT", page+"/note", text, nil), 200, `"version":1`)
	c.expect(c.get(c.clinician, page+"/review"), 409) // the call goes on
	c.expect(c.script(c.clinician, "POST", page+"/end", nil, nil), 200, `"ended"`)

	review := c.expect(c.get(c.clinician, page+"/review"), 200, "Cough &lt;b&gt;", "Dr. Kofi Osei", "attestation")
	shown := regexp.MustCompile(`name="sha256" value="([0-9a-f]{64})"`).FindStringSubmatch(review)[1]
	text["version"], text["plan"] = 1, "Rest and fluids"
	c.expect(c.script(c.clinician, "PUT", page+"/note", text, nil), 200, `"version":2`)
	newer := c.expect(c.post(c.clinician, page+"/sign", url.Values{"sha256": {shown}}), 409, "The note has changed", "Rest and fluids")
	shown = regexp.MustCompile(`name="sha256" value="([0-9a-f]{64})"`).FindStringSubmatch(newer)[1]
	c.expect(c.post(c.clinician, page+"/sign", url.Values{"sha256": {shown}}), 303)
	c.expect(c.get(c.clinician, page), 200, "Rest and fluids", "SHA-256 "+shown, `data-testid="delivery-note"`, "queued", "Add an addendum")
	text["version"], text["plan"] = 2, "Something else"
	c.expect(c.script(c.clinician, "PUT", page+"/note", text, nil), 409)

	addendum := url.Values{"section": {"plan"}, "text": {"Call on Friday"}}
	second := c.expect(c.post(c.clinician, page+"/addendum", addendum), 200, "Call on Friday", page+"/addendum")
	addendum.Set("sha256", regexp.MustCompile(`name="sha256" value="([0-9a-f]{64})"`).FindStringSubmatch(second)[1])
	c.expect(c.post(c.clinician, page+"/addendum", addendum), 303)
	c.expect(c.get(c.clinician, page), 200, "Rest and fluids", "Call on Friday", "Addendum")
}

func TestANoteIsNeverSilentlyOverwritten(t *testing.T) {
	c, v, _ := waitingRoom(t)
	path := "/visits/" + v.ID.String() + "/note"
	first := map[string]any{"version": 0, "subjective": "From one window", "objective": "", "assessment": "", "plan": ""}
	c.expect(c.script(c.clinician, "PUT", path, first, nil), 200)
	var conflict struct {
		Error      string
		Version    int
		Subjective string
	}
	second := map[string]any{"version": 0, "subjective": "From another", "objective": "", "assessment": "", "plan": ""}
	got := c.script(c.clinician, "PUT", path, second, &conflict)
	if got.Code != http.StatusConflict || conflict.Version != 1 || conflict.Subjective != "From one window" || conflict.Error != "conflict" {
		t.Fatalf("%d %+v", got.Code, conflict)
	}
	c.expect(c.script(c.clinician, "PUT", path, first, nil), 200, `"version":1`) // a repeated save is no conflict
	c.expect(c.script(c.clinician, "GET", path, nil, nil), 200, "From one window")
	c.expect(c.script(c.clinician, "PUT", path, map[string]any{"version": 1, "plan": "a\u0000b"}, nil), 400)
	c.expect(c.script(c.clinician, "PUT", path, "no note", nil), 400)
	c.expect(c.script(c.clinician, "PUT", path, map[string]any{"version": 1, "plan": strings.Repeat("x", 2<<20)}, nil), 413)
}

func TestAnIncompleteNoteIsNotSigned(t *testing.T) {
	c, v, _ := waitingRoom(t)
	page := "/visits/" + v.ID.String()
	c.script(c.clinician, "POST", page+"/start", nil, nil)
	c.script(c.clinician, "PUT", page+"/note", map[string]any{"version": 0, "subjective": "Cough"}, nil)
	c.script(c.clinician, "POST", page+"/end", nil, nil)
	c.expect(c.get(c.clinician, page+"/review"), 200, "Still missing", page+"#note-plan", page+"#note-assessment", "disabled")
	c.expect(c.post(c.clinician, page+"/sign", url.Values{"sha256": {strings.Repeat("0", 64)}}), 422, "Fill in what is missing first")
}

func TestAVisitIsItsClinicianAlone(t *testing.T) {
	c, v, patient := waitingRoom(t)
	page := "/visits/" + v.ID.String()
	for _, path := range []string{"", "/parts", "/chart", "/people", "/note", "/review"} {
		for name, who := range map[string]person{"a colleague": c.colleague, "a scheduler": c.scheduler, "the patient": patient} {
			if got := c.get(who, page+path); got.Code != http.StatusForbidden {
				t.Errorf("%s reads %s: %d", name, path, got.Code)
			}
		}
	}
	for _, path := range []string{"/start", "/end", "/consent", "/recording/start", "/recording/stop", "/invite", "/room-token", "/sign", "/addendum"} {
		for name, who := range map[string]person{"a colleague": c.colleague, "a scheduler": c.scheduler, "the patient": patient} {
			if got := c.script(who, "POST", page+path, nil, nil); got.Code != http.StatusForbidden {
				t.Errorf("%s does %s: %d", name, path, got.Code)
			}
		}
	}
	c.expect(c.get(c.clinician, "/visits/"+uuid.NewString()), 404)
	c.expect(c.get(c.clinician, "/visits/none"), 404)
	c.expect(c.script(person{cookie: c.clinician.cookie}, "POST", page+"/start", nil, nil), 403) // without the session's token
}

func TestRoomTokensOpenTheRoomForTheirHolder(t *testing.T) {
	c, v, patient := waitingRoom(t)
	var first, second struct{ Token, Room, Participant, WS, Expires string }
	c.script(c.clinician, "POST", "/visits/"+v.ID.String()+"/room-token", nil, &first)
	c.script(patient, "POST", "/visit/room-token", nil, &second)
	host := must(c.tokens.Redeem(t.Context(), identity.Caller{}, first.Token))(t)
	guest := must(c.tokens.Redeem(t.Context(), identity.Caller{}, second.Token))(t)
	if host.Room != v.Room || guest.Room != v.Room || !host.Host || guest.Host || host.Role != "clinician" || guest.Role != "patient" || host.Participant == guest.Participant {
		t.Errorf("claims %+v and %+v", host, guest)
	}
	if first.WS != "/rtc" || first.Room != v.Room.String() || second.Participant != guest.Participant.String() {
		t.Errorf("answers %+v and %+v", first, second)
	}
	type names map[string]struct{ Name, Role string }
	var seen, told names
	c.script(c.clinician, "GET", "/visits/"+v.ID.String()+"/people", nil, &seen)
	c.script(patient, "GET", "/visit/people", nil, &told)
	if seen[second.Participant].Name != "Ana Ruiz" || told[first.Participant].Name != "Dr. Kofi Osei" || told[second.Participant].Name != "" {
		t.Errorf("the clinician is told %v, the patient %v", seen, told)
	}
}

func TestRecordingNeedsConsent(t *testing.T) {
	c, v, patient := waitingRoom(t)
	page := "/visits/" + v.ID.String()
	c.script(c.clinician, "POST", page+"/start", nil, nil)
	c.now = c.now.Add(time.Minute)
	c.expect(c.script(patient, "POST", "/visit/consent", map[string]string{"answer": "ask"}, nil), 200)
	c.expect(c.script(c.clinician, "POST", page+"/recording/start", nil, nil), 409, "consent of everybody")
	c.expect(c.get(c.clinician, page+"/parts"), 200, "Patient agreed aloud")
	c.now = c.now.Add(time.Minute)
	c.expect(c.script(c.clinician, "POST", page+"/consent", map[string]string{"answer": "yes", "for": "patient"}, nil), 200)
	c.expect(c.script(c.clinician, "POST", page+"/recording/start", nil, nil), 200)
	answers := c.events("consent.answered")
	if len(answers) != 3 || *answers[0].ActorID != c.clinician.actor.ID {
		t.Errorf("the answer given aloud is not in the trail under who entered it: %+v", answers)
	}
	c.expect(c.script(c.clinician, "POST", page+"/consent", map[string]string{"answer": "maybe"}, nil), 400)
}

func TestAGuestComesByTheirOwnLink(t *testing.T) {
	c, v, _ := waitingRoom(t)
	page := "/visits/" + v.ID.String()
	var made struct{ Link, Participant string }
	c.expect(c.script(c.clinician, "POST", page+"/invite", map[string]string{"label": "interpreter", "name": "Luz"}, &made), 200)
	link := regexp.MustCompile(`/v/([0-9a-f-]{36})#(.+)$`).FindStringSubmatch(made.Link)
	if link == nil {
		t.Fatalf("no link in %q", made.Link)
	}
	c.expect(c.get(person{}, "/v/"+link[1]), 200, "You join as a guest")
	w := c.script(person{}, "POST", "/v/"+link[1]+"/prove", map[string]string{"secret": link[2], "birthDate": ""}, nil)
	c.expect(w, 200)
	var names map[string]struct{ Name string }
	c.script(c.clinician, "GET", page+"/people", nil, &names)
	if names[made.Participant].Name != "Luz" {
		t.Errorf("the guest is shown as %v", names)
	}
	for _, bad := range []map[string]string{{"label": "boss"}, {"label": "family", "name": strings.Repeat("x", 100)}, {}} {
		c.expect(c.script(c.clinician, "POST", page+"/invite", bad, nil), 400)
	}
}

func TestTheChartIsReadBesideThePage(t *testing.T) {
	c, v, _ := waitingRoom(t)
	chart := c.expect(c.get(c.clinician, "/visits/"+v.ID.String()+"/chart"), 200, "Essential hypertension", "2019", "Lisinopril 10 mg", "once daily", "could not be read")
	if strings.Contains(chart, "Broken arm") || strings.Contains(chart, "<html") {
		t.Error("the chart shows what is over, or a whole page")
	}
	if seen := c.events("chart.viewed"); len(seen) != 1 {
		t.Errorf("%d reads of the chart in the trail", len(seen))
	}
	other := c.booked(c.clinician, c.admit("Patient/unknown"), 3*time.Hour)
	c.expect(c.get(c.clinician, "/visits/"+other.ID.String()+"/chart"), 200, "The EHR does not answer")
}

func TestFormsOfTheWorklist(t *testing.T) {
	c := openClinic(t)
	ana := c.admit("Patient/ana")
	start, missed, cancelled := c.booked(c.clinician, ana, 0), c.booked(c.clinician, ana, time.Hour), c.booked(c.clinician, ana, 2*time.Hour)
	for path, to := range map[string]string{
		start.ID.String() + "/start": "/visits/" + start.ID.String() + "#start", missed.ID.String() + "/no-show": "/worklist", cancelled.ID.String() + "/cancel": "/worklist",
	} {
		got := c.post(c.clinician, "/visits/"+path, nil)
		if got.Code != 303 || got.Header().Get("Location") != to {
			t.Errorf("%s: %d to %q", path, got.Code, got.Header().Get("Location"))
		}
	}
	c.expect(c.post(c.clinician, "/visits/"+missed.ID.String()+"/start", nil), 409)
}

func TestTheWorkspaceBringsItsEntryToTheRoom(t *testing.T) {
	c, v, _ := waitingRoom(t)
	page := "/visits/" + v.ID.String()
	entry := regexp.MustCompile(`data-room-entry>(\{[^<]*\})</script>`)
	found := entry.FindStringSubmatch(c.expect(c.get(c.clinician, page), 200))
	if found == nil {
		t.Fatal("the page has no entry")
	}
	var given struct{ Token, Expires, WS, Room, Policy string }
	if err := json.Unmarshal([]byte(found[1]), &given); err != nil {
		t.Fatal(err)
	}
	claims, err := c.tokens.Redeem(t.Context(), identity.Caller{}, given.Token)
	if err != nil || claims.Room != v.Room || claims.Role != scheduling.RoleClinician || !claims.Host {
		t.Fatalf("%+v, %v", claims, err)
	}
	if expires, err := time.Parse(time.RFC3339, given.Expires); err != nil || !expires.After(c.now) || given.WS != "/rtc" || given.Room != v.Room.String() || given.Policy != scheduling.PolicySFU {
		t.Errorf("%+v", given)
	}
	c.expect(c.script(c.clinician, "POST", page+"/start", nil, nil), 200)
	c.expect(c.script(c.clinician, "POST", page+"/end", nil, nil), 200)
	if entry.MatchString(c.expect(c.get(c.clinician, page), 200)) {
		t.Error("a call that is over still has an entry")
	}
}
