package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/api/web"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/identity/sso"
	"github.com/televisit/televisit/scheduling"
)

func TestSchedulerBooksMovesAndCancels(t *testing.T) {
	h := openHospital(t)
	s := h.scheduler
	h.expect(h.get(s, "/schedule?day=2026-03-02"), 200, "Dr. Kofi Osei", "Dr. Mara Lindholm", `action="/schedule/patients/search"`)

	found := h.post(s, "/schedule/patients/search", url.Values{"ehr": {"sandbox"}, "family": {"Ruiz"}, "birthdate": {"1992-03-12"}, "day": {"2026-03-02"}})
	h.expect(found, 200, "Ana Ruiz", "…4417", `value="Patient/ana"`)
	if searched := h.events("patient.searched"); len(searched) != 1 || strings.Contains(string(searched[0].Detail), "Ruiz") {
		t.Fatalf("the search is in the trail as %+v", searched)
	}

	chosen := h.post(s, "/schedule/patients/choose", url.Values{"ehr": {"sandbox"}, "ref": {"Patient/ana"}, "day": {"2026-03-02"}})
	h.expect(chosen, 303)
	panel := chosen.Header().Get("Location")
	if strings.Contains(panel, "Ruiz") || strings.Contains(panel, "ana") {
		t.Fatalf("the address holds who it is: %s", panel)
	}
	patient := mustQuery(t, panel, "patient")
	page := h.expect(h.get(s, panel), 200, "First free times", "2026-03-02T14:00:00Z|")

	form := url.Values{"patient": {patient}, "type": {"follow-up"}, "slot": {slot(t, page)}, "reason": {"Cough"}, "language": {"es"}, "interpreter": {"yes"}, "day": {"2026-03-02"}}
	booked := h.post(s, "/schedule/book", form)
	h.expect(booked, 303)
	done := h.expect(h.get(s, booked.Header().Get("Location")), 200, "Booked", origin+"/v/", "Undo")
	if !regexp.MustCompile(`/v/[0-9a-f-]{36}#[\w-]+`).MatchString(done) {
		t.Fatal("the link has no secret in its fragment")
	}

	h.expect(h.post(s, "/schedule/book", form), 409, "That time was just booked by somebody else", "Nothing was changed", "2026-03-02T14:30:00Z|")

	id := mustQuery(t, booked.Header().Get("Location"), "booked")
	shown := h.expect(h.get(s, "/schedule?day=2026-03-02&visit="+id), 200, "Move the visit", "Cancel this visit")
	version := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(shown)[1]
	moved := h.post(s, "/schedule/"+id+"/move", url.Values{"version": {version}, "slot": {strings.Replace(slot(t, page), "T14:00", "T16:00", 1)}})
	h.expect(moved, 303)
	h.expect(h.get(s, moved.Header().Get("Location")), 200, "Moved", "11:00–11:20")
	h.expect(h.post(s, "/schedule/"+id+"/move", url.Values{"version": {version}, "slot": {slot(t, page)}}), 409, "changed by somebody else meanwhile")

	h.expect(h.post(s, "/schedule/"+id+"/cancel", url.Values{"reason": {"patient"}}), 303)
	h.expect(h.post(s, "/schedule/"+id+"/move", url.Values{"version": {"0"}, "slot": {slot(t, page)}}), 409, "no longer possible")
}

// slot is the first free time on a page.
func slot(t *testing.T, page string) string {
	t.Helper()
	found := regexp.MustCompile(`name="slot" value="([^"]+)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatal("no free time on the page")
	}
	return found[1]
}

func mustQuery(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Query().Get(name) == "" {
		t.Fatalf("%s has no %s", address, name)
	}
	return u.Query().Get(name)
}

func TestPatientSearchAsksForEnough(t *testing.T) {
	h := openHospital(t)
	for name, form := range map[string]url.Values{
		"one letter":          {"family": {"R"}, "birthdate": {"1992-03-12"}},
		"no date of birth":    {"family": {"Ruiz"}},
		"a date that is none": {"family": {"Ruiz"}, "birthdate": {"1992-02-31"}},
		"nothing":             {},
	} {
		form.Set("ehr", "sandbox")
		h.expect(h.post(h.scheduler, "/schedule/patients/search", form), 400, "Give at least two letters")
		if len(h.chart.asked) != 0 {
			t.Fatalf("%s: the chart was asked", name)
		}
	}
	h.expect(h.post(h.scheduler, "/schedule/patients/search", url.Values{"ehr": {"sandbox"}, "mrn": {"100004417"}}), 200, "Ana Ruiz")
	h.expect(h.post(h.scheduler, "/schedule/patients/search", url.Values{"ehr": {"sandbox"}, "mrn": {"0"}}), 200, "0 patients found")
	h.chart.down = true
	h.expect(h.post(h.scheduler, "/schedule/patients/search", url.Values{"ehr": {"sandbox"}, "mrn": {"100004417"}}), 503, "The EHR does not answer")
}

func TestWhoSeesWhichPage(t *testing.T) {
	h := openHospital(t)
	v := h.booked(h.clinician, h.admit("Patient/ana"), time.Hour)
	for _, test := range []struct {
		who    person
		path   string
		status int
	}{
		{h.clinician, "/worklist", 200}, {h.scheduler, "/worklist", 403}, {h.compliance, "/worklist", 403}, {person{}, "/worklist", 303},
		{h.scheduler, "/schedule", 200}, {h.clinician, "/schedule", 200}, {h.compliance, "/schedule", 403},
		{h.clinician, "/recordings", 200}, {h.scheduler, "/recordings", 403},
		{h.compliance, "/audit", 200}, {h.clinician, "/audit", 403}, {h.scheduler, "/audit", 403},
		{h.compliance, "/boundary", 200}, {h.clinician, "/boundary", 403},
		{h.scheduler, "/schedule/" + v.ID.String() + "/link", 200}, {h.clinician, "/schedule/" + v.ID.String() + "/link", 200},
		{h.colleague, "/schedule/" + v.ID.String() + "/link", 403}, {h.colleague, "/schedule?visit=" + v.ID.String(), 403},
		{h.scheduler, "/schedule/" + uuid.NewString() + "/link", 404}, {h.scheduler, "/schedule/none/link", 404},
		{h.scheduler, "/schedule?day=tomorrow", 400},
	} {
		if got := h.get(test.who, test.path); got.Code != test.status {
			t.Errorf("%v on %s: %d, want %d", test.who.actor.Roles, test.path, got.Code, test.status)
		}
	}
	if refused := h.events("access.refused"); len(refused) < 8 || refused[0].IP == nil || refused[0].IP.String() != "203.0.113.77" {
		t.Errorf("%d refusals in the trail", len(refused))
	}
}

func TestWorklistShowsTheDay(t *testing.T) {
	h := openHospital(t)
	h.expect(h.get(h.clinician, "/worklist"), 200, "No visits today")
	v := h.booked(h.clinician, h.admit("Patient/ana"), 30*time.Minute)
	h.booked(h.colleague, h.admit("Patient/other"), 30*time.Minute)
	if _, err := h.Arrive(t.Context(), h.clinician.actor, v.ID, scheduling.DeviceCheck{Camera: "ok", Microphone: "denied", Network: "skipped"}); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(12 * time.Minute)
	page := h.expect(h.get(h.clinician, "/worklist"), 200, "Ana Ruiz", "33", "she/her", "Waiting 12 min", "badge waiting late", "Microphone: permission denied",
		"Spanish", `href="/visits/`+v.ID.String()+`#start"`, "&lt;script&gt;", "(1) Today")
	if strings.Contains(page, "<script>alert") || strings.Count(page, `data-key="`) != 1 {
		t.Fatal("the list shows what it must not")
	}
	fragment := h.expect(h.get(h.clinician, "/worklist/list"), 200, "Ana Ruiz")
	if strings.Contains(fragment, "<html") {
		t.Fatal("the fragment is a whole page")
	}
}

func TestLaunchFindsTheVisit(t *testing.T) {
	h := openHospital(t)
	ctx, who := t.Context(), h.clinician.actor
	launched := func(patient, appointment string) string {
		t.Helper()
		return must(h.launches.Destination(ctx, who, sso.Result{EHR: "sandbox", Context: sso.Launch{Patient: phi.NewText(patient), Appointment: phi.NewText(appointment)}}))(t)
	}
	if got := launched("", ""); got != "/worklist" {
		t.Fatalf("without a patient: %s", got)
	}
	offer := launched("Patient/ana", "") // the chart knows her, we do not
	h.expect(h.get(h.clinician, offer), 200, "No visit is booked with Ana Ruiz now", "Start a visit now")
	patient := strings.TrimPrefix(offer, "/launch/visit/")

	begun := h.post(h.clinician, "/launch/visit", url.Values{"launch": {patient}, "reason": {"Chest pain"}})
	h.expect(begun, 303)
	if got := launched("Patient/ana", ""); got != begun.Header().Get("Location") {
		t.Fatalf("the next launch leads to %s, not to %s", got, begun.Header().Get("Location"))
	}
	h.expect(h.post(h.clinician, "/launch/visit", url.Values{"launch": {patient}}), 409, "You have another visit at this time")
	h.expect(h.post(h.scheduler, "/launch/visit", url.Values{"launch": {patient}}), 403)

	h.chart.down = true
	if _, err := h.launches.Destination(ctx, who, sso.Result{EHR: "sandbox", Context: sso.Launch{Patient: phi.NewText("Patient/new")}}); err == nil {
		t.Fatal("a launch went on although the chart does not answer")
	}
}

func TestFrontDoor(t *testing.T) {
	h := openHospital(t)
	h.expect(h.get(person{}, "/?next=%2Fworklist&over=idle"), 200, "Continue with North Hospital", "/sso/north?next=%2Fworklist", "nothing happened for a while")
	for _, foreign := range []string{"https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example"} {
		h.expect(h.get(person{}, "/?next="+foreign), 200, `href="/sso/north"`)
	}
	for who, to := range map[*person]string{&h.clinician: "/worklist", &h.scheduler: "/schedule", &h.compliance: "/audit"} {
		if got := h.get(*who, "/"); got.Code != 303 || got.Header().Get("Location") != to {
			t.Errorf("%v begin at %s", who.actor.Roles, got.Header().Get("Location"))
		}
	}
	kept := h.send(person{}, http.MethodPost, "/preferences", url.Values{"lang": {"es"}, "theme": {"dark"}, "back": {"//evil.example"}})
	if kept.Code != 303 || kept.Header().Get("Location") != "/" || len(kept.Result().Cookies()) != 2 {
		t.Fatalf("%d %v", kept.Code, kept.Header())
	}
	h.expect(h.post(h.scheduler, "/logout", nil), 303)
	if got := h.get(h.scheduler, "/schedule"); got.Code != 303 || !strings.Contains(got.Header().Get("Location"), "over=ended") {
		t.Fatalf("after signing out: %d %s", got.Code, got.Header().Get("Location"))
	}
}

func TestPagesSpeakTheReadersLanguage(t *testing.T) {
	h := openHospital(t)
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for accept, want := range map[string]string{"es-MX,es;q=0.9": `lang="es"`, "de": `lang="en"`, "": `lang="en"`} {
		r.Header.Set("Accept-Language", accept)
		w := newRecorder()
		h.engine.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%q does not give %s", accept, want)
		}
	}
}

func TestTrailPages(t *testing.T) {
	h := openHospital(t)
	v := h.booked(h.clinician, h.admit("Patient/ana"), time.Hour)
	h.get(h.scheduler, "/worklist")
	officer := h.compliance
	h.expect(h.get(officer, "/audit"), 200, "booked a visit", "Sam Lee", "access.refused", "not been verified")
	page := h.expect(h.post(officer, "/audit", url.Values{"q": {v.ID.String()}}), 200, "visit.booked")
	if strings.Contains(page, "access.refused</code>") {
		t.Fatal("the search by visit finds other events")
	}
	h.expect(h.post(officer, "/audit", url.Values{"q": {"203.0.113.77"}, "outcome": {"refused"}}), 200, "access.refused", "not-permitted")
	h.expect(h.post(officer, "/audit", url.Values{"q": {"Ana"}}), 400, "This is no id")
	h.expect(h.post(officer, "/audit", url.Values{"from": {"2026-03-02"}, "to": {"2026-03-01"}}), 400, "must not be after")
	if searches := h.events("audit.searched"); len(searches) < 6 {
		t.Fatalf("%d searches of the trail are in it", len(searches))
	}
	row := h.events("visit.booked")[0]
	h.expect(h.get(officer, "/audit/"+itoa(row.ID)), 200, "Sam Lee booked a visit", "&#34;resourceType&#34;: &#34;AuditEvent&#34;", "Not sealed yet")
	h.expect(h.get(officer, "/audit/999999"), 404)
	h.expect(h.get(officer, "/audit/x"), 404)
}

func TestBoundaryNamesWhatIsNotCovered(t *testing.T) {
	h := openHospital(t)
	h.expect(h.get(h.compliance, "/boundary"), 200, "1 hop carries health information without", "Not covered", "<svg viewBox")
}

func TestRecordingsAreForTheirClinicianAndEachViewIsRecorded(t *testing.T) {
	h := openHospital(t)
	v := h.booked(h.clinician, h.admit("Patient/ana"), 0)
	recording := h.recorded(v)
	page := "/recordings/" + recording.String()
	h.expect(h.get(h.clinician, "/recordings"), 200, "Ana Ruiz")
	h.expect(h.get(h.clinician, page), 200, "About this recording")
	h.expect(h.get(h.colleague, page), 403)
	h.expect(h.get(h.colleague, page+"/media"), 403)
	h.expect(h.get(h.scheduler, page+"/media"), 403)
	if seen := h.events("recording.viewed"); len(seen) != 0 {
		t.Fatalf("%d views before any", len(seen))
	}
	h.get(h.clinician, page+"/media")
	h.get(h.clinician, page+"/media")
	if seen := h.events("recording.viewed"); len(seen) != 1 || *seen[0].ActorID != h.clinician.actor.ID || seen[0].ObjectID != recording.String() {
		t.Fatalf("two pieces of one viewing are in the trail as %+v", seen)
	}
	h.now = h.now.Add(14 * time.Minute)
	h.get(h.clinician, page+"/media?download=1")
	h.get(h.clinician, page+"/media?download=1")
	if taken := h.events("recording.downloaded"); len(taken) != 2 {
		t.Fatalf("%d downloads are in the trail, want 2", len(taken))
	}
}

// recorded is a visit whose recording was started in the call.
func (h *hospital) recorded(v scheduling.VisitView) uuid.UUID {
	h.t.Helper()
	ctx, who := h.t.Context(), h.clinician.actor
	must(h.Start(ctx, who, v.ID))(h.t)
	for _, role := range []string{scheduling.RoleClinician, scheduling.RolePatient} {
		staff := uuid.Nil
		if role == scheduling.RoleClinician {
			staff = who.ID
		}
		id := must(h.EnsureParticipant(ctx, who, v.ID, role, staff, phi.Text{}))(h.t)
		must(h.Consent(ctx, who, v.ID, id, scheduling.AnswerYes))(h.t)
	}
	return must(h.StartRecording(ctx, who, v.ID))(h.t).ID
}

var _ web.View = (*web.WorklistView)(nil)

func TestHandOffSignsAWindowIn(t *testing.T) {
	h := openHospital(t)
	given := h.expect(h.post(h.clinician, "/handoff", nil), 200, `"/handoff#`)
	secret := regexp.MustCompile(`#([\w-]+)`).FindStringSubmatch(given)[1]
	h.expect(h.get(person{}, "/handoff"), 200, "Continue in this window")
	h.expect(h.send(person{}, http.MethodPost, "/handoff/who", url.Values{"secret": {secret}}), 200, "Dr. Kofi Osei")
	accepted := h.send(person{}, http.MethodPost, "/handoff/accept", url.Values{"secret": {secret}, "next": {"https://evil.example"}})
	h.expect(accepted, 200, `{"url":"/"}`)
	cookie := accepted.Result().Cookies()[0]
	if cookie.Name != "__Host-televisit" || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteNoneMode || cookie.Path != "/" {
		t.Fatalf("the session's cookie is %+v", cookie)
	}
	h.expect(h.get(person{cookie: cookie.Value}, "/worklist"), 200)
	h.expect(h.send(person{}, http.MethodPost, "/handoff/who", url.Values{"secret": {"wrong"}}), 410)
	h.expect(h.send(person{}, http.MethodPost, "/handoff/accept", url.Values{"secret": {"wrong"}}), 410)
}
