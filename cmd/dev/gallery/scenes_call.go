package main

import (
	"time"

	"github.com/televisit/televisit/api/web"
)

// callScenes shows the visit's workspace and the patient's pages.
func callScenes() []scene {
	clinician := []string{"clinician"}
	workspace := func(name, stage, note string) scene {
		return scene{name: "workspace-" + name, path: "/visits/1", roles: clinician, view: workspaceOf(stage, note)}
	}
	found := []scene{
		workspace("booked", "booked", "none"), workspace("arrived", "arrived", "none"), workspace("in-call", "in-call", "draft"),
		workspace("ended", "ended", "draft"), workspace("signed", "ended", "signed"), workspace("cancelled", "cancelled", "none"),
		{name: "review", path: "/visits/1/review", roles: clinician, view: reviewOf()},
		{name: "review-missing", path: "/visits/1/review", roles: clinician, view: &web.ReviewView{ID: "1", Person: ana(), Missing: []string{"assessment", "plan"}, Problem: "incomplete", Sections: soap()[:2]}},
		{name: "chart", path: "/visits/1/chart", roles: clinician, view: chartOf()},
		{name: "chart-offline", path: "/visits/1/chart", roles: clinician, view: &web.ChartView{Problem: "offline"}},
	}
	for _, lang := range []string{"en", "es"} {
		found = append(found,
			scene{name: "link-" + lang, path: "/v/1", lang: lang, view: &web.InvitationView{Link: "1", Kind: "patient"}},
			scene{name: "link-guest-" + lang, path: "/v/1", lang: lang, view: &web.InvitationView{Link: "1", Kind: "guest"}},
			scene{name: "link-expired-" + lang, path: "/v/1", lang: lang, view: &web.InvitationView{Refused: "expired"}},
			scene{name: "visit-check-" + lang, path: "/visit", lang: lang, view: visitorOf("booked", "")},
			scene{name: "visit-consent-" + lang, path: "/visit", lang: lang, view: visitorOf("arrived", "")},
			scene{name: "visit-waiting-" + lang, path: "/visit", lang: lang, view: visitorOf("arrived", "yes")},
			scene{name: "visit-after-" + lang, path: "/visit", lang: lang, view: visitorOf("ended", "yes")})
	}
	return found
}

func ana() web.Person {
	return web.Person{Name: "Ana Ruiz", Age: "34", Gender: "female", Pronoun: "she/her", BirthDate: "12 Mar 1992", MRN: "4417", Language: "es", Interpreter: true}
}

func soap() []web.NoteSection {
	return []web.NoteSection{
		{Key: "subjective", Text: "Three days of sore throat and low-grade fever, no cough. Takes fluids well."},
		{Key: "objective", Text: "Well on video, speaks in full sentences. Throat red, no exudate seen."},
		{Key: "assessment", Text: "Viral pharyngitis, likely."},
		{Key: "plan", Text: "Fluids, rest, acetaminophen as needed. Call again if the fever lasts beyond three days."},
	}
}

func workspaceOf(stage, note string) *web.WorkspaceView {
	now := time.Now()
	v := &web.WorkspaceView{
		ID: "8b9f0b7e-2c1e-4e56-9f43-2b2a4b1f9f10", State: stage, Recording: "off", Note: note, Person: ana(), WaitingSince: now.Add(-6 * time.Minute),
		Checks:   []web.DeviceCheck{{Device: "camera", Result: "ok"}, {Device: "mic", Result: "ok"}, {Device: "speaker", Result: "skipped"}, {Device: "network", Result: "poor"}},
		Consents: []web.ConsentLine{{Name: "Ana Ruiz", Answer: "yes"}},
	}
	text := soap()
	switch note {
	case "draft":
		v.Draft = web.Draft{Version: 3, SavedAt: now, Subjective: text[0].Text, Objective: text[1].Text, Assessment: text[2].Text, Plan: text[3].Text}
	case "signed":
		v.Recording, v.RecordingLine = "stored", &web.RecordingLine{State: "stored", Href: "/recordings/1"}
		v.Signed = []web.SignedNote{{Kind: "original", By: "Dr. Kofi Osei", At: now, Sections: text, Fingerprint: "9f2b61c0c3e7a1d44e5bb7d7f1bb0e2a3c5d9a7b8e1f20415263748596a7b8c9"}}
		v.Deliveries = []web.DeliveryLine{
			{ID: "1", Kind: "encounter", State: "accepted", Attempts: 1, QueuedAt: "10:52:01", UpdatedAt: "10:52:02", AcceptedAt: "10:52:02", Reference: "Encounter/4411"},
			{ID: "2", Kind: "note", State: "rejected", Attempts: 3, QueuedAt: "10:52:01", UpdatedAt: "10:53:40", Problem: "The EHR does not accept this document type."},
			{ID: "3", Kind: "recording", State: "due", QueuedAt: "10:52:01"},
		}
	}
	return v
}

func reviewOf() *web.ReviewView {
	now := time.Now()
	return &web.ReviewView{
		ID: "1", Person: ana(), Clinician: "Dr. Kofi Osei", Sections: soap(), StartedAt: now.Add(-13 * time.Minute), EndedAt: now, Zone: "America/New_York",
		Fingerprint: "9f2b61c0c3e7a1d44e5bb7d7f1bb0e2a3c5d9a7b8e1f20415263748596a7b8c9", Bytes: `{"attestation":"I saw Ana Ruiz by video","format":"televisit.note.1"}`,
		Attestation: "I, Dr. Kofi Osei, saw Ana Ruiz by video from 10:40 to 10:53.", Action: "/visits/1/sign",
	}
}

func chartOf() *web.ChartView {
	return &web.ChartView{EHR: "Sandbox Hospital", AsOf: "10:42:07", Lists: []web.ChartList{
		{Kind: "problems", Items: []web.ChartItem{{Text: "Essential hypertension", Detail: "2019"}, {Text: "Seasonal allergic rhinitis"}}},
		{Kind: "medications", Items: []web.ChartItem{{Text: "Lisinopril 10 mg", Detail: "once daily"}}},
		{Kind: "allergies", Problem: true},
	}}
}

func visitorOf(stage, consent string) *web.VisitorView {
	return &web.VisitorView{Role: "patient", State: stage, Consent: consent, Clinician: "Dr. Kofi Osei", StartsAt: time.Now(), Wait: "About 5 minutes"}
}
