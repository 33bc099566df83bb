package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/scheduling"
)

func TestAdministratorGivesAReasonToLookAtAVisit(t *testing.T) {
	h := openHospital(t)
	ctx, patient := t.Context(), h.admit("Patient/ana")
	v := h.booked(h.clinician, patient, 0)
	must(h.Start(ctx, h.clinician.actor, v.ID))(t)
	p := v.Participant(scheduling.RolePatient)
	them := audit.Actor{Org: h.org, Kind: audit.Patient, ID: p.ID, IP: h.clinician.actor.IP}
	h.check(h.Joined(ctx, them, v.Room, p.ID, monday().Add(2*time.Second)))
	h.check(h.StreamStarted(ctx, them, v.Room, p.ID, uuid.New(), "camera", monday().Add(3*time.Second)))
	h.check(h.Lost(ctx, them, v.Room, p.ID, monday().Add(5*time.Minute)))

	list := h.expect(h.get(h.admin, "/admin/visits"), 200, v.ID.String(), "In call", "09:00–09:20")
	form := h.expect(h.get(h.admin, "/admin/visits/"+v.ID.String()), 200, `name="reason"`, "required")
	if len(h.events("admin.viewed")) != 0 || strings.Contains(form, "room") && strings.Contains(form, v.Room.String()) {
		t.Error("the form already shows the visit")
	}

	for _, reason := range []string{"", "   ", "\u200b"} {
		got := h.post(h.admin, "/admin/visits/"+v.ID.String(), url.Values{"reason": {reason}})
		h.expect(got, 400, "Give a reason.", `aria-invalid="true"`)
		if strings.Contains(got.Body.String(), v.Room.String()) {
			t.Fatal("the visit is shown without a reason")
		}
	}
	h.expect(h.post(h.admin, "/admin/visits/"+v.ID.String(), url.Values{"reason": {strings.Repeat("x", 501)}}), 400, "at most 500")
	if refused := h.events("access.refused"); len(refused) != 4 || refused[3].Visit == nil || *refused[3].Visit != v.ID || *refused[3].ActorID != h.admin.actor.ID {
		t.Fatalf("refusals %+v", refused)
	}

	shown := h.expect(h.post(h.admin, "/admin/visits/"+v.ID.String(), url.Values{"reason": {"Ticket 4711 <b>"}}), 200,
		"Ticket 4711 &lt;b&gt;", v.Room.String(), "joined the room", "09:00:02", "(camera)", "lost the connection to the room", "+5:00")
	for _, page := range []string{list, shown} {
		for _, word := range []string{"Ruiz", "Osei", "4417", "Cough", "203.0.113", "192.0.2"} {
			if strings.Contains(page, word) {
				t.Errorf("the page tells %q", word)
			}
		}
	}
	looks := h.events("admin.viewed")
	if len(looks) != 1 || looks[0].Reason != "Ticket 4711 <b>" || *looks[0].ActorID != h.admin.actor.ID || *looks[0].Visit != v.ID || looks[0].Purpose != "HOPERAT" {
		t.Fatalf("trail %+v", looks)
	}
}

func TestOnlyAdministratorsLookIntoVisits(t *testing.T) {
	h := openHospital(t)
	v := h.booked(h.clinician, h.admit("Patient/ana"), 0)
	page := "/admin/visits/" + v.ID.String()
	for _, p := range []person{h.clinician, h.scheduler, h.compliance} {
		h.expect(h.get(p, "/admin/visits"), 403)
		h.expect(h.get(p, page), 403)
		h.expect(h.post(p, page, url.Values{"reason": {"curious"}}), 403)
	}
	if looks := h.events("admin.viewed"); len(looks) != 0 {
		t.Fatalf("trail %+v", looks)
	}
	a := h.admin
	h.expect(h.get(a, "/schedule"), 403)
	h.expect(h.get(a, "/worklist"), 403)
	h.expect(h.post(a, "/admin/visits/"+uuid.NewString(), url.Values{"reason": {"ticket 1"}}), 404)
	h.expect(h.get(a, "/admin/visits/none"), 404)
	h.expect(h.get(a, "/admin/visits?day=yesterday"), 400)
	h.expect(h.get(a, "/admin/visits?day=2026-03-03"), 200, "No visits on this day")
	h.expect(h.get(a, "/boundary"), 200, `href="/admin/visits"`)
	if home := h.get(a, "/"); home.Code != 303 || home.Header().Get("Location") != "/admin/visits" {
		t.Errorf("home is %s", home.Header().Get("Location"))
	}
}
