package scheduling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
)

// Patient is what the EHR says of a patient.
type Patient struct {
	EHR       string
	Reference phi.Text // "Patient/id" at that EHR
	Name      phi.Text
	BirthDate phi.Date
	Details   phi.Text // JSON: pronoun, gender, mrn, phone, email
	Language  string   // BCP 47; "en" when empty
}

// sealedPatient is a patient as the table holds it.
type sealedPatient struct {
	reference, name, birthDate, details []byte
}

// SavePatient keeps what the EHR says of a patient, and gives the patient's id with us; the same reference gives the
// same id.
func (s *Service) SavePatient(ctx context.Context, who audit.Actor, p Patient) (uuid.UUID, error) {
	if err := p.validate(); err != nil {
		return uuid.Nil, err
	}
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return uuid.Nil, err
	}
	index := patientIndex(sealer, p.Reference)
	var id uuid.UUID
	err = s.db.Do(ctx, who, audit.Event{Action: "patient.saved"}, func(ctx context.Context, tx *audit.Tx) error {
		// What is sealed is bound to the row's id, so two writers of one new patient must not choose two.
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtextextended($1 || encode($2, 'hex'), 11))", who.Org.String()+p.EHR, index); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, "select id from patient where ehr = $1 and reference_index = $2", p.EHR, index).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			id, err = uuid.New(), nil
		}
		if err != nil {
			return fmt.Errorf("find the patient: %w", err)
		}
		tx.Event.Patient = id
		return writePatient(ctx, tx, who.Org, id, sealer, p, index)
	})
	return id, err
}

func writePatient(ctx context.Context, tx *audit.Tx, org, id uuid.UUID, sealer phi.Sealer, p Patient, index []byte) error {
	sealed, err := p.seal(sealer, id)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		insert into patient (id, org_id, ehr, reference_sealed, reference_index, name_sealed, birth_date_sealed, details_sealed, language, fetched_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		on conflict (id) do update set reference_sealed = excluded.reference_sealed, name_sealed = excluded.name_sealed,
			birth_date_sealed = excluded.birth_date_sealed, details_sealed = excluded.details_sealed,
			language = excluded.language, fetched_at = excluded.fetched_at`,
		id, org, p.EHR, sealed.reference, index, sealed.name, sealed.birthDate, sealed.details, or(p.Language, "en"), tx.Now)
	if err != nil {
		return fmt.Errorf("save the patient: %w", err)
	}
	return nil
}

func (p Patient) validate() error {
	switch {
	case p.EHR == "":
		return &Invalid{"ehr", "is missing"}
	case p.Reference.IsZero():
		return &Invalid{"reference", "is missing"}
	case p.Name.IsZero():
		return &Invalid{"name", "is missing"}
	case p.BirthDate.IsZero():
		return &Invalid{"birthDate", "is missing"}
	case !p.Details.IsZero() && !json.Valid([]byte(p.Details.Reveal())):
		return &Invalid{"details", "is not JSON"}
	case !isLanguage(p.Language):
		return &Invalid{"language", "is not a language tag"}
	}
	return nil
}

func (p Patient) seal(sealer phi.Sealer, id uuid.UUID) (s sealedPatient, err error) {
	if s.reference, err = phi.SealText(sealer, p.Reference, patientRow(id, "reference")); err != nil {
		return s, err
	}
	if s.name, err = phi.SealText(sealer, p.Name, patientRow(id, "name")); err != nil {
		return s, err
	}
	if s.birthDate, err = phi.SealDate(sealer, p.BirthDate, patientRow(id, "birth_date")); err != nil {
		return s, err
	}
	s.details, err = phi.SealText(sealer, p.Details, patientRow(id, "details"))
	return s, err
}

func (s sealedPatient) open(sealer phi.Sealer, p *PatientView) (err error) {
	if p.Reference, err = phi.OpenText(sealer, s.reference, patientRow(p.ID, "reference")); err != nil {
		return err
	}
	if p.Name, err = phi.OpenText(sealer, s.name, patientRow(p.ID, "name")); err != nil {
		return err
	}
	if p.BirthDate, err = phi.OpenDate(sealer, s.birthDate, patientRow(p.ID, "birth_date")); err != nil {
		return err
	}
	p.Details, err = phi.OpenText(sealer, s.details, patientRow(p.ID, "details"))
	return err
}

// Patient reads a patient.
func (s *Service) Patient(ctx context.Context, who audit.Actor, id uuid.UUID) (PatientView, error) {
	event := audit.Event{Action: "patient.viewed", Patient: id}
	return s.onePatient(ctx, who, event, "id = $1", id)
}

// PatientByReference reads the patient whom the EHR calls ref ("Patient/id").
func (s *Service) PatientByReference(ctx context.Context, who audit.Actor, ehr string, ref phi.Text) (PatientView, error) {
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return PatientView{}, err
	}
	return s.onePatient(ctx, who, audit.Event{Action: "patient.viewed"}, "ehr = $1 and reference_index = $2", ehr, patientIndex(sealer, ref))
}

func (s *Service) onePatient(ctx context.Context, who audit.Actor, event audit.Event, where string, args ...any) (PatientView, error) {
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return PatientView{}, err
	}
	var p PatientView
	err = s.db.View(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		var sealed sealedPatient
		err := tx.QueryRow(ctx, `select id, ehr, reference_sealed, name_sealed, birth_date_sealed, details_sealed, language, fetched_at
			from patient where `+where, args...).Scan(&p.ID, &p.EHR, &sealed.reference, &sealed.name, &sealed.birthDate, &sealed.details, &p.Language, &p.FetchedAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("read the patient: %w", err)
		}
		tx.Event.Patient = p.ID
		return sealed.open(sealer, &p)
	})
	return p, err
}

// PatientsSearched records that somebody searched the EHR for patients and what it gave: one event for the search, and
// one for each patient whom we know among the results.
func (s *Service) PatientsSearched(ctx context.Context, who audit.Actor, ehr string, hits int, known ...uuid.UUID) error {
	events := []audit.Event{{Action: "patient.searched", Detail: map[string]any{"ehr": ehr, "hits": hits}}}
	for _, id := range known {
		events = append(events, audit.Event{Action: "patient.found", Patient: id, Detail: map[string]any{"ehr": ehr}})
	}
	return s.db.Record(ctx, who, events...)
}

func patientRow(id uuid.UUID, column string) phi.Row {
	return phi.Row{Table: "patient", Column: column, ID: id}
}

func patientIndex(sealer phi.Sealer, ref phi.Text) []byte {
	return phi.IndexText(sealer, "patient.reference", ref)
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
