package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
)

// ErrNoStaff means that nobody of the organisation matches.
var ErrNoStaff = errors.New("identity: no such member of staff")

// Staff is a person who works for the organisation.
type Staff struct {
	ID              uuid.UUID
	Org             uuid.UUID
	Roles           []Role
	Name            phi.Text
	TimeZone        string   // IANA name; saved empty, it is the organisation's
	PractitionerEHR string   // name of the EHR that Practitioner belongs to
	Practitioner    phi.Text // "Practitioner/id" at that EHR
	Issuer, Subject string   // of the identity provider; written as a digest and never read back
	Active          bool

	subjectKnown bool
}

// People keeps the staff of every organisation.
type People struct {
	db      *audit.DB
	keyring *Keyring
}

// NewPeople makes the register of staff.
func NewPeople(db *audit.DB, keyring *Keyring) *People { return &People{db: db, keyring: keyring} }

// SaveStaff writes a member of staff. A zero ID makes a new one; an existing one keeps its subject unless a new one is named.
func (p *People) SaveStaff(ctx context.Context, who audit.Actor, s Staff) (uuid.UUID, error) {
	sealer, err := p.keyring.Sealer(ctx, who.Org)
	if err != nil {
		return uuid.Nil, err
	}
	event := audit.Event{Action: "staff.saved", ObjectKind: "staff"}
	var id uuid.UUID
	err = p.db.Do(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		id, err = saveStaff(ctx, tx, sealer, who.Org, s)
		return err
	})
	return id, err
}

func saveStaff(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, org uuid.UUID, s Staff) (uuid.UUID, error) {
	if len(s.Roles) == 0 {
		return uuid.Nil, errors.New("identity: a member of staff needs a role")
	}
	for _, r := range s.Roles {
		if !IsStaffRole(r) {
			return uuid.Nil, fmt.Errorf("identity: %s is no role of staff", r)
		}
	}
	if s.ID == uuid.Nil {
		s.ID = uuid.New()
	}
	name, err := phi.SealText(sealer, s.Name, staffRow(s.ID, "name"))
	if err != nil {
		return uuid.Nil, err
	}
	link := practitionerLink(s.PractitionerEHR, s.Practitioner)
	practitioner, err := phi.SealText(sealer, link, staffRow(s.ID, "practitioner"))
	if err != nil {
		return uuid.Nil, err
	}
	_, err = tx.Exec(ctx, `
		insert into staff (id, org_id, roles, name_sealed, practitioner_sealed, practitioner_index, subject_index, time_zone, active, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, coalesce(nullif($8, ''), (select time_zone from organisation where id = $2), 'UTC'), $9, $10, $10)
		on conflict (id) do update set roles = excluded.roles, name_sealed = coalesce(excluded.name_sealed, staff.name_sealed),
			practitioner_sealed = excluded.practitioner_sealed, practitioner_index = excluded.practitioner_index,
			subject_index = coalesce(excluded.subject_index, staff.subject_index), time_zone = excluded.time_zone,
			active = excluded.active, updated_at = excluded.updated_at`,
		s.ID, org, roleNames(s.Roles), name, practitioner, phi.IndexText(sealer, "staff.practitioner", link),
		subjectIndex(sealer, s.Issuer, s.Subject), s.TimeZone, s.Active, tx.Now)
	if err != nil {
		return uuid.Nil, fmt.Errorf("identity: save staff: %w", err)
	}
	tx.Event.ObjectKind, tx.Event.ObjectID = "staff", s.ID.String()
	return s.ID, nil
}

// StaffByPractitioner finds who is ref ("Practitioner/id") at the EHR of that name, or ErrNoStaff.
func (p *People) StaffByPractitioner(ctx context.Context, org uuid.UUID, ehr string, ref phi.Text) (Staff, error) {
	sealer, err := p.keyring.Sealer(ctx, org)
	if err != nil {
		return Staff{}, err
	}
	index := phi.IndexText(sealer, "staff.practitioner", practitionerLink(ehr, ref))
	return p.readOne(ctx, org, sealer, "practitioner_index = $1", index)
}

// StaffBySubject finds whom the identity provider calls subject, or ErrNoStaff.
func (p *People) StaffBySubject(ctx context.Context, org uuid.UUID, issuer, subject string) (Staff, error) {
	sealer, err := p.keyring.Sealer(ctx, org)
	if err != nil {
		return Staff{}, err
	}
	return p.readOne(ctx, org, sealer, "subject_index = $1", subjectIndex(sealer, issuer, subject))
}

// Staff reads a member of staff of the actor's organisation, or ErrNoStaff.
func (p *People) Staff(ctx context.Context, who audit.Actor, id uuid.UUID) (Staff, error) {
	sealer, err := p.keyring.Sealer(ctx, who.Org)
	if err != nil {
		return Staff{}, err
	}
	return p.readOne(ctx, who.Org, sealer, "id = $1", id)
}

// Clinicians lists the active clinicians of the actor's organisation.
func (p *People) Clinicians(ctx context.Context, who audit.Actor) ([]Staff, error) {
	sealer, err := p.keyring.Sealer(ctx, who.Org)
	if err != nil {
		return nil, err
	}
	var found []Staff
	err = p.db.Read(ctx, who.Org, func(ctx context.Context, tx pgx.Tx) error {
		found, err = queryStaff(ctx, tx, sealer, "active and 'clinician' = any (roles)")
		return err
	})
	return found, err
}

func (p *People) readOne(ctx context.Context, org uuid.UUID, sealer phi.Sealer, where string, arg any) (Staff, error) {
	var found []Staff
	err := p.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) (err error) {
		found, err = queryStaff(ctx, tx, sealer, where, arg)
		return err
	})
	if err != nil {
		return Staff{}, err
	}
	if len(found) == 0 {
		return Staff{}, ErrNoStaff
	}
	return found[0], nil
}

// queryStaff runs under row-level security: it sees one organisation only.
func queryStaff(ctx context.Context, tx pgx.Tx, sealer phi.Sealer, where string, args ...any) ([]Staff, error) {
	rows, err := tx.Query(ctx, `select id, org_id, roles, name_sealed, practitioner_sealed, time_zone, active, subject_index is not null from staff
		where `+where+` order by created_at, id`, args...)
	if err != nil {
		return nil, fmt.Errorf("identity: read staff: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Staff, error) {
		var s Staff
		var roles []string
		var name, practitioner []byte
		if err := row.Scan(&s.ID, &s.Org, &roles, &name, &practitioner, &s.TimeZone, &s.Active, &s.subjectKnown); err != nil {
			return Staff{}, err
		}
		for _, r := range roles {
			s.Roles = append(s.Roles, Role(r))
		}
		if s.Name, err = phi.OpenText(sealer, name, staffRow(s.ID, "name")); err != nil {
			return Staff{}, err
		}
		link, err := phi.OpenText(sealer, practitioner, staffRow(s.ID, "practitioner"))
		if err != nil {
			return Staff{}, err
		}
		ehr, ref, _ := strings.Cut(link.Reveal(), "|")
		s.PractitionerEHR, s.Practitioner = ehr, phi.NewText(ref)
		return s, nil
	})
}

func staffRow(id uuid.UUID, column string) phi.Row {
	return phi.Row{Table: "staff", Column: column, ID: id}
}

func practitionerLink(ehr string, ref phi.Text) phi.Text {
	if ref.IsZero() {
		return phi.Text{}
	}
	return phi.NewText(ehr + "|" + ref.Reveal())
}

func subjectIndex(sealer phi.Sealer, issuer, subject string) []byte {
	if subject == "" {
		return nil
	}
	return sealer.Index("staff.subject", issuer+"|"+subject)
}

func roleNames(roles []Role) []string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return names
}
