package identity

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
)

// Identity is what an EHR or an identity provider proved about somebody.
type Identity struct {
	EHR          string   // name of the EHR that Practitioner belongs to
	Practitioner phi.Text // "Practitioner/id", if known
	Issuer       string   // of the staff's identity provider; "" for an EHR launch
	Subject      string
	Name         phi.Text
	Roles        []Role
}

func (i Identity) bySubject() bool { return i.Issuer != "" && i.Subject != "" }

// SignIn finds the one member of staff whom the proof names, by the identity provider's subject or by the EHR's
// practitioner, so that a clinician is the same person whichever way they come in. It links what was not known yet, and
// makes the row at the first sign-in. It fails with *Refused when the proof names two people or somebody deactivated.
func (p *People) SignIn(ctx context.Context, from Caller, org uuid.UUID, proof Identity) (Staff, error) {
	sealer, err := p.keyring.Sealer(ctx, org)
	if err != nil {
		return Staff{}, err
	}
	var person Staff
	event := audit.Event{Action: "staff.saved", ObjectKind: "staff", Detail: map[string]any{"by": "sign-in"}}
	// The same person may sign in twice at the same moment for the first time; the loser of that race looks again.
	for attempt := 0; attempt < 2; attempt++ {
		if person, err = p.known(ctx, org, sealer, proof); err != nil {
			return Staff{}, p.refuse(ctx, from, org, err)
		}
		if person.ID != uuid.Nil && !changes(person, proof) {
			return person, nil
		}
		person = merged(person, proof)
		err = p.db.Do(ctx, from.Anonymous(org), event, func(ctx context.Context, tx *audit.Tx) error {
			person.ID, err = saveStaff(ctx, tx, sealer, org, person)
			return err
		})
		if err == nil {
			return person, nil
		}
	}
	return Staff{}, err
}

// known is the row that the proof names, or a zero Staff.
func (p *People) known(ctx context.Context, org uuid.UUID, sealer phi.Sealer, proof Identity) (Staff, error) {
	var bySubject, byPractitioner Staff
	var err error
	if proof.bySubject() {
		bySubject, err = p.readOne(ctx, org, sealer, "subject_index = $1", subjectIndex(sealer, proof.Issuer, proof.Subject))
		if err != nil && !errors.Is(err, ErrNoStaff) {
			return Staff{}, err
		}
	}
	if !proof.Practitioner.IsZero() {
		byPractitioner, err = p.StaffByPractitioner(ctx, org, proof.EHR, proof.Practitioner)
		if err != nil && !errors.Is(err, ErrNoStaff) {
			return Staff{}, err
		}
	}
	switch {
	case bySubject.ID != uuid.Nil && byPractitioner.ID != uuid.Nil && bySubject.ID != byPractitioner.ID:
		return Staff{}, &Refused{code: "identity-conflict"}
	case bySubject.ID == uuid.Nil && byPractitioner.ID != uuid.Nil && proof.bySubject() && byPractitioner.subjectKnown:
		return Staff{}, &Refused{code: "identity-conflict"}
	case bySubject.ID != uuid.Nil && !bySubject.Practitioner.IsZero() && !proof.Practitioner.IsZero() && byPractitioner.ID == uuid.Nil:
		return Staff{}, &Refused{code: "identity-conflict"}
	}
	person := bySubject
	if person.ID == uuid.Nil {
		person = byPractitioner
	}
	if person.ID != uuid.Nil && !person.Active {
		return Staff{}, &Refused{code: "deactivated"}
	}
	if len(proof.Roles) == 0 && (person.ID == uuid.Nil || proof.bySubject()) {
		return Staff{}, &Refused{code: "no-role"}
	}
	return person, nil
}

func (p *People) refuse(ctx context.Context, from Caller, org uuid.UUID, err error) error {
	var refused *Refused
	if !errors.As(err, &refused) {
		return err
	}
	event := audit.Event{Action: "login.failed", Outcome: audit.Refused, Detail: map[string]any{"code": refused.code}}
	return errors.Join(err, p.db.Record(ctx, from.Anonymous(org), event))
}

// changes tells whether the proof says anything that the row lacks.
func changes(s Staff, proof Identity) bool {
	m := merged(s, proof)
	return proof.bySubject() && !s.subjectKnown || !slices.Equal(m.Roles, s.Roles) || !m.Name.Equal(s.Name) || !m.Practitioner.Equal(s.Practitioner)
}

// merged lays the proof over the row. Only the identity provider's claims decide the roles of somebody who is known: an
// EHR launch proves a clinician and says nothing of other roles.
func merged(s Staff, proof Identity) Staff {
	if s.ID == uuid.Nil || proof.bySubject() {
		s.Roles = proof.Roles
	}
	s.Active = true
	if !proof.Name.IsZero() {
		s.Name = proof.Name
	}
	if !proof.Practitioner.IsZero() {
		s.PractitionerEHR, s.Practitioner = proof.EHR, proof.Practitioner
	}
	if proof.bySubject() {
		s.Issuer, s.Subject = proof.Issuer, proof.Subject
	}
	return s
}

// Refused means that a proven identity may not come in.
type Refused struct{ code string }

// Error is for logs.
func (r *Refused) Error() string { return "identity: sign-in refused: " + r.code }

// Safe is for people.
func (r *Refused) Safe() string {
	switch r.code {
	case "deactivated":
		return "Your account is switched off. Ask your administrator."
	case "no-role":
		return "Your account has no role here. Ask your administrator to give you one."
	}
	return "Your sign-in matches two accounts. Ask your administrator to join them."
}

// Code is a short word for programs.
func (r *Refused) Code() string { return r.code }

// RefusalCode makes the trail keep the refusal (audit.Refusal).
func (r *Refused) RefusalCode() string { return r.code }
