package fhir

import (
	"slices"
	"time"

	"github.com/google/uuid"
	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling/visit"
)

// Visit is what the mapping needs to know of a visit. References are relative, as the receiving server knows them
// ("Patient/123"). Times are UTC; a zero time is absent.
type Visit struct {
	Identifiers  []uuid.UUID // each becomes urn:uuid:<id>; the first is the one that makes a write exactly-once
	Serve        *Serve      // set when our own FHIR API serves the resource, nil when it goes to an EHR
	Stage        visit.Stage
	History      []StageAt // every stage that was held, in any order
	StartsAt     time.Time // as booked
	EndsAt       time.Time
	StartedAt    time.Time // as it went
	EndedAt      time.Time
	CreatedAt    time.Time
	Type         string   // our code of the kind of visit
	Reason       phi.Text // why the patient comes
	EndReason    string   // code of appointment-cancellation-reason
	Patient      phi.Text // reference
	Clinician    phi.Text // reference
	Organization phi.Text // reference, optional
	Appointment  phi.Text // reference, optional
	Participants []Participant
}

// Serve is the identity of a resource on our own FHIR server.
type Serve struct {
	ID        string
	Version   int64
	UpdatedAt time.Time
}

// StageAt is a stage and the instant since which it was held.
type StageAt struct {
	Stage visit.Stage
	At    time.Time
}

// Participant took part in the call.
type Participant struct {
	Role        string   // clinician, patient, guest
	Interpreter bool     // a guest who interprets
	Reference   phi.Text // optional
	JoinedAt    time.Time
	LeftAt      time.Time
}

func (s *Serve) id() *string {
	if s == nil {
		return nil
	}
	return token(s.ID)
}

func (s *Serve) meta(profiles ...string) *r4.Meta {
	m := r4.Meta{Profile: profiles}
	if s != nil {
		m.VersionId, m.LastUpdated = ptr(decimal(s.Version)), instant(s.UpdatedAt)
	}
	if m.VersionId == nil && m.LastUpdated == nil && len(profiles) == 0 {
		return nil
	}
	return &m
}

// history gives the stages in order of time.
func (v Visit) history() []StageAt {
	sorted := slices.Clone(v.History)
	slices.SortStableFunc(sorted, func(a, b StageAt) int { return a.At.Compare(b.At) })
	return sorted
}
