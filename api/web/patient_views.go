package web

import "time"

// patientViews lists the views of templates/patient.
func patientViews() []View { return []View{&InvitationView{}, &VisitorView{}} }

// InvitationView is what a link opens before anybody has proven who they are: it tells nothing of the patient.
type InvitationView struct {
	Link    string
	Kind    string // patient or guest
	Refused string // why the link is of no use, or ""
}

// Template names the page.
func (*InvitationView) Template() string { return "patient/link" }

// VisitorView is the visit as the patient or a guest goes through it.
type VisitorView struct {
	Role      string // patient or guest
	State     string // stage of the visit
	Consent   string // the answer given so far, or ""
	Clinician string
	StartsAt  time.Time
	Wait      string // how long it may take, as a sentence
}

// Template names the page.
func (*VisitorView) Template() string { return "patient/visit" }
