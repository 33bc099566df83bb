package main

import (
	"time"

	"github.com/televisit/televisit/api/web"
)

const (
	sceneVisit     = "5b1f77e2-8c3a-4b1e-9f0d-2f6f0f2a9c11"
	scenePatient   = "71e0c9aa-0d4b-4d3c-8a55-6c1f4f2a7be0"
	sceneClinician = "0d8f2c11-52aa-4f0e-b1de-9f3b5a6c7d88"
)

func adminScenes() []scene {
	admin := []string{"admin"}
	rows := []web.CallRow{
		{ID: "8d2a01b7-1111-4f0e-9a55-0c1f4f2a7be0", StartsAt: at(9, 0), EndsAt: at(9, 20), State: "accepted", Recording: "stored", HasStarted: true, Length: 17*time.Minute + 42*time.Second},
		{ID: sceneVisit, StartsAt: at(10, 20), EndsAt: at(10, 40), State: "in-call", Recording: "running", HasStarted: true, Length: 21*time.Minute + 5*time.Second, Present: 2},
		{ID: "c01f9e44-2222-4f0e-9a55-0c1f4f2a7be0", StartsAt: at(10, 40), EndsAt: at(11, 0), State: "waiting"},
		{ID: "e77b3c90-3333-4f0e-9a55-0c1f4f2a7be0", StartsAt: at(11, 20), EndsAt: at(11, 40), State: "booked"},
	}
	calls := &web.CallsView{Day: noon(), Previous: "2026-03-11", Next: "2026-03-13", Today: "2026-03-12", IsToday: true, Rows: rows}
	why := "Ticket 4711: the picture froze twice"
	return []scene{
		{name: "admin-calls", path: "/admin/visits", roles: admin, view: calls},
		{name: "admin-calls-empty", path: "/admin/visits", roles: admin, view: &web.CallsView{Day: noon(), Previous: "2026-03-11", Next: "2026-03-13"}},
		{name: "admin-ask", path: "/admin/visits", roles: admin, view: &web.InspectView{Visit: sceneVisit}},
		{name: "admin-ask-refused", path: "/admin/visits", roles: admin, view: &web.InspectView{Visit: sceneVisit, Problem: "no-reason"}},
		{name: "admin-visit", path: "/admin/visits", roles: admin, view: &web.InspectView{Visit: sceneVisit, Reason: why, Shown: inspected(rows[1])}},
		{name: "admin-visit-es", path: "/admin/visits", roles: admin, lang: "es", view: &web.InspectView{Visit: sceneVisit, Reason: why, Shown: inspected(rows[1])}},
	}
}

func inspected(row web.CallRow) *web.InspectedCall {
	start := at(10, 21)
	event := func(after time.Duration, role, who, action, kind, mark string) web.InspectedEvent {
		return web.InspectedEvent{At: start.Add(after), Role: role, Who: who, Action: action, Outcome: "success", Kind: kind, Mark: mark, HasClock: after >= 0, Clock: after}
	}
	left := event(12*time.Minute, "guest", "a41c77d0-4444-4f0e-9a55-0c1f4f2a7be0", "room.left", "", "quiet")
	left.Code = "bye"
	return &web.InspectedCall{CallRow: row, Room: "19fe6d3b-e5bb-4fa2-9c73-38479b94355b", Policy: "relay-only", Zone: "EST", Losses: 1, Checks: checks("ok", "ok", "poor"),
		People: []web.InspectedPerson{
			{ID: sceneClinician, Role: "clinician", HasJoined: true, JoinedAt: start.Add(2 * time.Second), Streams: 2},
			{ID: scenePatient, Role: "patient", HasJoined: true, JoinedAt: start.Add(time.Second), Streams: 2, Interrupts: 1},
			{ID: "a41c77d0-4444-4f0e-9a55-0c1f4f2a7be0", Role: "guest", HasJoined: true, JoinedAt: start.Add(3 * time.Minute), HasLeft: true, LeftAt: start.Add(12 * time.Minute), Streams: 1},
		},
		Recordings: []web.RecordingRow{{Started: start.Add(time.Minute), State: "running"}},
		Deliveries: []web.InspectedDelivery{
			{Kind: "appointment", State: "accepted", Attempts: 1, DueAt: at(8, 0), HasAccepted: true, AcceptedAt: at(8, 1)},
			{Kind: "encounter", State: "rejected", Attempts: 3, DueAt: at(10, 30), Problem: "The EHR does not take this visit's times."}},
		Timeline: []web.InspectedEvent{
			event(-2*time.Hour, "scheduler", "", "visit.booked", "", "quiet"),
			event(-4*time.Minute, "patient", "", "visit.arrived", "", "quiet"),
			event(0, "clinician", "", "visit.started", "", "live"),
			event(time.Second, "patient", scenePatient, "room.joined", "", "live"),
			event(2*time.Second, "clinician", sceneClinician, "room.joined", "", "live"),
			event(2*time.Second, "patient", scenePatient, "stream.started", "camera", "live"),
			event(time.Minute, "clinician", "", "recording.started", "", "live"),
			event(6*time.Minute, "patient", scenePatient, "room.lost", "", "failed"),
			event(6*time.Minute+9*time.Second, "patient", scenePatient, "room.resumed", "", "live"),
			left,
		}}
}
