package identity

import (
	"slices"

	"github.com/google/uuid"
)

// Resource is what an action concerns. Org is always set; the others where the action concerns one visit.
type Resource struct {
	Org       uuid.UUID
	Visit     uuid.UUID
	Clinician uuid.UUID // the visit's clinician
}

// reach is how far a role's permission goes within its own organisation.
type reach string

const (
	no     reach = ""
	all    reach = "all"    // everything of the organisation
	own    reach = "own"    // visits of which the principal is the clinician
	theirs reach = "theirs" // the one visit that the session is bound to
)

// rule is one row of the policy table: a column for each role.
type rule struct {
	action                                                             Action
	clinician, scheduler, compliance, admin, patient, guest, apiClient reach
}

// policy is the whole of it. What is not in here is refused.
func policy() []rule {
	return []rule{
		//                clinician scheduler compliance admin patient guest client
		{WorklistView /*    */, all, no, no, no, no, no, no},
		{CalendarView /*    */, own, all, no, no, no, no, no},
		{PatientSearch /*   */, no, all, no, no, no, no, no},
		{VisitBook /*       */, own, all, no, no, no, no, all},
		{VisitMove /*       */, own, all, no, no, no, no, all},
		{VisitCancel /*     */, own, all, no, no, no, no, all},
		{VisitNoShow /*     */, own, all, no, no, no, no, no},
		{VisitView /*       */, own, no, no, no, no, no, no},
		{VisitInspect /*    */, no, no, no, all, no, no, no},
		{VisitAttend /*     */, no, no, no, no, theirs, theirs, no},
		{VisitArrive /*     */, no, no, no, no, theirs, no, no},
		{VisitStart /*      */, own, no, no, no, no, no, no},
		{VisitEnd /*        */, own, no, no, no, no, no, no},
		{VisitLeave /*      */, no, no, no, no, theirs, theirs, no},
		{LinkCreate /*      */, own, all, no, no, no, no, no},
		{LinkView /*        */, own, all, no, no, no, no, no},
		{LinkRevoke /*      */, own, all, no, no, no, no, no},
		{GuestInvite /*     */, own, no, no, no, no, no, no},
		{RoomJoin /*        */, own, no, no, no, theirs, theirs, no},
		{PeopleView /*      */, own, no, no, no, theirs, theirs, no},
		{ConsentGive /*     */, own, no, no, no, theirs, theirs, no},
		{RecordingStart /*  */, own, no, no, no, no, no, no},
		{RecordingStop /*   */, own, no, no, no, no, no, no},
		{RecordingView /*   */, own, no, no, no, no, no, no},
		{NoteView /*        */, own, no, no, no, no, no, no},
		{NoteEdit /*        */, own, no, no, no, no, no, no},
		{NoteSign /*        */, own, no, no, no, no, no, no},
		{NoteAmend /*       */, own, no, no, no, no, no, no},
		{DeliveryView /*    */, own, no, no, no, no, no, no},
		{DeliveryRetry /*   */, own, no, no, no, no, no, no},
		{EventsFollow /*    */, all, all, no, no, theirs, theirs, no},
		{AuditRead /*       */, no, no, all, no, no, no, no},
		{AuditExport /*     */, no, no, all, no, no, no, no},
		{AuditVerify /*     */, no, no, all, no, no, no, no},
		{BoundaryView /*    */, no, no, all, all, no, no, no},
		{StaffManage /*     */, no, no, no, all, no, no, no},
		{SessionEnd /*      */, all, all, all, all, all, all, no},
		{FHIRRead /*        */, no, no, no, no, no, no, all},
		{FHIRWrite /*       */, no, no, no, no, no, no, all},
		{FHIRAuditSearch /* */, no, no, all, no, no, no, all}, // a client: within its scopes, which api/fhirapi checks
	}
}

func (r rule) reachOf(role Role) reach {
	switch role {
	case Clinician:
		return r.clinician
	case Scheduler:
		return r.scheduler
	case Compliance:
		return r.compliance
	case Admin:
		return r.admin
	case Patient:
		return r.patient
	case Guest:
		return r.guest
	case Client:
		return r.apiClient
	}
	return no
}

// Actions lists every action of the policy table, in its order.
func Actions() []Action {
	rows := policy()
	actions := make([]Action, len(rows))
	for i, row := range rows {
		actions[i] = row.action
	}
	return actions
}

// Can tells whether p may do a to r: nil, or a *Denied. The union of the roles' permissions counts, each within its reach.
func Can(p Principal, a Action, r Resource) error {
	if p.Org == uuid.Nil || r.Org != p.Org {
		return &Denied{Action: a, code: "other-organisation"}
	}
	rows := policy()
	at := slices.IndexFunc(rows, func(row rule) bool { return row.action == a })
	if at < 0 {
		return &Denied{Action: a, code: "not-permitted"}
	}
	code := "not-permitted"
	for _, role := range p.Roles {
		switch rows[at].reachOf(role) {
		case all:
			return nil
		case own:
			if p.Staff != uuid.Nil && p.Staff == r.Clinician {
				return nil
			}
			code = "not-their-visit"
		case theirs:
			if p.Visit != uuid.Nil && p.Visit == r.Visit {
				return nil
			}
			code = "not-their-visit"
		}
	}
	return &Denied{Action: a, code: code}
}

// Denied is the policy's refusal.
type Denied struct {
	Action Action
	code   string
}

// Error is for logs.
func (d *Denied) Error() string { return "identity: " + string(d.Action) + " refused: " + d.code }

// Safe is for people.
func (d *Denied) Safe() string {
	if d.code == "not-their-visit" {
		return "This visit belongs to somebody else."
	}
	return "You are not allowed to do this."
}

// Code is a short word for programs.
func (d *Denied) Code() string { return d.code }

// RefusalCode makes the trail keep the refusal (audit.Refusal).
func (d *Denied) RefusalCode() string { return d.code }
