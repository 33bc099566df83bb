package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/scheduling/visit"
)

func TestALinkAsksForTheDateOfBirth(t *testing.T) {
	c := openClinic(t)
	v := c.booked(c.clinician, c.admit("Patient/ana"), 10*time.Minute)
	link := must(c.links.NewPatientLink(t.Context(), c.scheduler.actor, v.ID))(t)
	page := c.expect(c.get(person{}, "/v/"+link.ID.String()), 200, `data-testid="link-dob-day"`, "<noscript>")
	if strings.Contains(page, "Ana") || strings.Contains(page, "Cough") || strings.Contains(page, "Osei") {
		t.Error("the page tells whose visit it is before any proof")
	}
	_, wrong := c.arriveBy(link, "1992-03-13")
	c.expect(wrong, 403, "That did not match. 4 tries left.", "wrong-birth-date")
	for range 3 {
		c.arriveBy(link, "1992-03-13")
	}
	_, locked := c.arriveBy(link, "1992-03-13")
	c.expect(locked, 423, "too many wrong tries")
	_, right := c.arriveBy(link, "1992-03-12")
	c.expect(right, 423)
	c.now = c.now.Add(16 * time.Minute)
	patient, w := c.arriveBy(link, "1992-03-12")
	c.expect(w, 200)
	visit := c.expect(c.get(patient, "/visit"), 200, "Video visit with Dr. Kofi Osei", `data-role="patient"`)
	if strings.Contains(visit, "Ana") || strings.Contains(visit, "Cough") {
		t.Error("the patient's page shows the chart's data")
	}
}

func TestUselessLinksSayWhy(t *testing.T) {
	c := openClinic(t)
	v := c.booked(c.clinician, c.admit("Patient/ana"), 10*time.Minute)
	link := must(c.links.NewPatientLink(t.Context(), c.scheduler.actor, v.ID))(t)
	c.expect(c.get(person{}, "/v/"+uuid.NewString()), 404, "This link is not known")
	c.expect(c.get(person{}, "/v/none"), 404, "This link is not known")
	c.expect(c.script(person{}, "POST", "/v/"+link.ID.String()+"/prove", map[string]string{"secret": "guessed", "birthDate": "1992-03-12"}, nil), 400, "not complete")
	c.expect(c.script(person{}, "POST", "/v/"+link.ID.String()+"/prove", map[string]string{"secret": strings.Repeat("x", 5000)}, nil), 413, "too large")
	c.expect(c.script(person{}, "POST", "/v/"+link.ID.String()+"/prove", map[string]string{"birthDate": "12.3.1992"}, nil), 400)
	c.now = c.now.Add(24 * time.Hour)
	c.expect(c.get(person{}, "/v/"+link.ID.String()), 410, "This link has expired")
}

func TestThePatientIsToldHowLongItTakes(t *testing.T) {
	c := openClinic(t)
	v := c.booked(c.clinician, c.admit("Patient/ana"), 2*time.Hour)
	patient := c.patientOf(v)
	wait := func() string {
		var status struct{ Wait string }
		c.script(patient, "GET", "/visit/status", nil, &status)
		return status.Wait
	}
	if got := wait(); got != "Your visit starts at 11:00 AM" {
		t.Errorf("two hours before: %q", got)
	}
	c.now = monday().Add(115 * time.Minute)
	if got := wait(); got != "About 5 minutes" {
		t.Errorf("five minutes before: %q", got)
	}
	c.now = monday().Add(121 * time.Minute)
	if got := wait(); got != "Any moment now" {
		t.Errorf("after its time: %q", got)
	}
}

func TestLeavingEndsTheCallForThePatientOnly(t *testing.T) {
	c, v, patient := waitingRoom(t)
	stage := func() visit.Stage { return must(c.ForWork(t.Context(), c.org, v.ID))(t).State.Stage }
	c.expect(c.script(patient, "POST", "/visit/leave", nil, nil), 204)
	if got := stage(); got != visit.Arrived {
		t.Fatalf("leaving the waiting room made the visit %s", got)
	}
	c.script(c.clinician, "POST", "/visits/"+v.ID.String()+"/start", nil, nil)
	guestLink := must(c.links.NewGuestLink(t.Context(), c.clinician.actor, v.ID, "Family", phiName("Luz")))(t)
	guest, _ := c.arriveBy(guestLink, "")
	c.expect(c.get(guest, "/visit"), 200, `data-role="guest"`)
	c.expect(c.script(guest, "POST", "/visit/leave", nil, nil), 204)
	if got := stage(); got != visit.InCall {
		t.Fatalf("a guest's leaving made the visit %s", got)
	}
	c.expect(c.post(patient, "/visit/leave", nil), 204) // as the beacon of a closing page sends it
	if got := stage(); got != visit.Ended {
		t.Fatalf("the patient's leaving made the visit %s", got)
	}
	c.expect(c.post(patient, "/visit/leave", nil), 204)
}

func TestThePatientsOwnScriptsAnswerBadInput(t *testing.T) {
	c, _, patient := waitingRoom(t)
	for path, body := range map[string]any{
		"/visit/arrive": map[string]string{"camera": "splendid"}, "/visit/consent": map[string]string{"answer": "perhaps"}, "/visit/feedback": map[string]string{"answer": "meh"},
	} {
		c.expect(c.script(patient, http.MethodPost, path, body, nil), 400)
		c.expect(c.script(patient, http.MethodPost, path, "nonsense", nil), 400)
		c.expect(c.script(person{}, http.MethodPost, path, body, nil), 401)
		if got := c.script(c.clinician, http.MethodPost, path, body, nil); got.Code != 403 && got.Code != 404 {
			t.Errorf("a clinician on %s: %d", path, got.Code)
		}
	}
	c.expect(c.script(patient, http.MethodPost, "/visit/feedback", map[string]string{"answer": "good"}, nil), 200)
	if rated := c.events("call.rated"); len(rated) != 1 {
		t.Errorf("%d ratings in the trail", len(rated))
	}
}

// A patient's first load must be quick on a poor line: page, style and scripts together, compressed.
func TestAPatientsFirstLoadIsSmall(t *testing.T) {
	c, _, patient := waitingRoom(t)
	assets := newSite(t).Assets()
	total := len(c.expect(c.get(patient, "/visit"), 200)) // the page itself uncompressed, to be on the safe side
	for _, name := range []string{"patient.css", "call.css", "visitor.css", "patient.js"} {
		if assets.Size(name) == 0 {
			t.Errorf("there is no %s", name)
		}
		total += assets.Size(name)
	}
	if total > 60_000 {
		t.Errorf("a patient's first load takes %d bytes", total)
	}
}
