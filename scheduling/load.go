package scheduling

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/identity/phi"
)

// loadVisits reads the visits that match where (over v visit, s staff, p patient), by their time, and all that
// belongs to them.
func loadVisits(ctx context.Context, tx pgx.Tx, sealer phi.Sealer, where string, args ...any) ([]VisitView, error) {
	rows, err := tx.Query(ctx, `
		select v.id, v.org_id, v.room_id, v.version, v.starts_at, v.ends_at, v.visit_type, v.media_policy, v.interpreter, v.language, v.reason_sealed,
		       v.stage, v.note, v.recording, v.delivery, v.arrived_at, v.started_at, v.ended_at, v.end_reason, v.device_check, v.ehr,
		       v.appointment_sealed, v.encounter_sealed, v.client_resource_sealed, v.created_at, v.updated_at,
		       s.id, s.name_sealed, s.practitioner_sealed, s.time_zone,
		       p.id, p.ehr, p.reference_sealed, p.name_sealed, p.birth_date_sealed, p.details_sealed, p.language, p.fetched_at
		from visit v join staff s on s.id = v.clinician_id join patient p on p.id = v.patient_id
		where `+where+` order by v.starts_at, v.id`, args...)
	if err != nil {
		return nil, fmt.Errorf("read the visits: %w", err)
	}
	views, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (VisitView, error) { return scanVisit(row, sealer) })
	if err != nil {
		return nil, fmt.Errorf("read the visits: %w", err)
	}
	return views, loadParts(ctx, tx, sealer, views)
}

func scanVisit(row pgx.CollectableRow, sealer phi.Sealer) (VisitView, error) {
	var v VisitView
	var check, reason, appointment, encounter, resource, clinician, practitioner []byte
	var patient sealedPatient
	err := row.Scan(&v.ID, &v.Org, &v.Room, &v.Version, &v.StartsAt, &v.EndsAt, &v.VisitType, &v.MediaPolicy, &v.Interpreter, &v.Language, &reason,
		&v.State.Stage, &v.State.Note, &v.State.Recording, &v.State.Delivery, &v.ArrivedAt, &v.StartedAt, &v.EndedAt, &v.EndReason, &check, &v.EHR,
		&appointment, &encounter, &resource, &v.CreatedAt, &v.UpdatedAt,
		&v.Clinician.ID, &clinician, &practitioner, &v.Clinician.TimeZone,
		&v.Patient.ID, &v.Patient.EHR, &patient.reference, &patient.name, &patient.birthDate, &patient.details, &v.Patient.Language, &v.Patient.FetchedAt)
	if err != nil {
		return v, err
	}
	utc(&v.StartsAt, &v.EndsAt, v.ArrivedAt, v.StartedAt, v.EndedAt, &v.CreatedAt, &v.UpdatedAt, &v.Patient.FetchedAt)
	if err := json.Unmarshal(check, &v.DeviceCheck); err != nil {
		return v, err
	}
	for _, column := range []struct {
		into   *phi.Text
		sealed []byte
		row    phi.Row
	}{
		{&v.Reason, reason, visitRow(v.ID, "reason")},
		{&v.Appointment, appointment, visitRow(v.ID, "appointment")},
		{&v.Encounter, encounter, visitRow(v.ID, "encounter")},
		{&v.ClientResource, resource, visitRow(v.ID, "client_resource")},
		{&v.Clinician.Name, clinician, phi.Row{Table: "staff", Column: "name", ID: v.Clinician.ID}},
		{&v.Clinician.Practitioner, practitioner, phi.Row{Table: "staff", Column: "practitioner", ID: v.Clinician.ID}},
	} {
		if *column.into, err = phi.OpenText(sealer, column.sealed, column.row); err != nil {
			return v, err
		}
	}
	v.Clinician.Practitioner = practitionerAt(v.EHR, v.Clinician.Practitioner)
	return v, patient.open(sealer, &v.Patient)
}

// practitionerAt takes the reference out of "EHR|Practitioner/id", the form in which identity keeps it; a practitioner
// of another EHR has none at this one.
func practitionerAt(ehr string, link phi.Text) phi.Text {
	of, ref, _ := strings.Cut(link.Reveal(), "|")
	if of != ehr {
		return phi.Text{}
	}
	return phi.NewText(ref)
}

func utc(times ...*time.Time) {
	for _, t := range times {
		if t != nil {
			*t = t.UTC()
		}
	}
}

// loadParts adds to each visit what hangs on it.
func loadParts(ctx context.Context, tx pgx.Tx, sealer phi.Sealer, views []VisitView) error {
	if len(views) == 0 {
		return nil
	}
	byID, ids := make(map[uuid.UUID]*VisitView, len(views)), make([]uuid.UUID, 0, len(views))
	for i := range views {
		byID[views[i].ID] = &views[i]
		ids = append(ids, views[i].ID)
	}
	for _, part := range []struct {
		name, sql string
		scan      func(pgx.CollectableRow, phi.Sealer, map[uuid.UUID]*VisitView) error
	}{
		{"participants", `select visit_id, id, role, staff_id, label_sealed, joined_at, left_at from participant
			where visit_id = any ($1) order by role, joined_at nulls last, id`, scanParticipant},
		{"stages", `select visit_id, stage, at, actor_id, reason from visit_stage where visit_id = any ($1) order by at`, scanStage},
		{"consents", `select distinct on (visit_id, participant_id) visit_id, participant_id, answer, at from consent
			where visit_id = any ($1) and kind = 'recording' order by visit_id, participant_id, at desc`, scanConsent},
		{"recordings", `select distinct on (visit_id) visit_id, ` + recordingColumns + ` from recording
			where visit_id = any ($1) order by visit_id, started_at desc, id`, scanVisitRecording},
		{"deliveries", `select ` + deliveryColumns + ` from delivery where visit_id = any ($1) order by due_at, kind, id`, scanVisitDelivery},
	} {
		rows, err := tx.Query(ctx, part.sql, ids)
		if err != nil {
			return fmt.Errorf("read the %s: %w", part.name, err)
		}
		if _, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
			return struct{}{}, part.scan(row, sealer, byID)
		}); err != nil {
			return fmt.Errorf("read the %s: %w", part.name, err)
		}
	}
	return nil
}

func scanParticipant(row pgx.CollectableRow, sealer phi.Sealer, byID map[uuid.UUID]*VisitView) error {
	var of uuid.UUID
	var p ParticipantView
	var staff *uuid.UUID
	var label []byte
	err := row.Scan(&of, &p.ID, &p.Role, &staff, &label, &p.JoinedAt, &p.LeftAt)
	if err != nil {
		return err
	}
	utc(p.JoinedAt, p.LeftAt)
	if staff != nil {
		p.Staff = *staff
	}
	p.Label, err = phi.OpenText(sealer, label, participantRow(p.ID, "label"))
	byID[of].Participants = append(byID[of].Participants, p)
	return err
}

func scanStage(row pgx.CollectableRow, _ phi.Sealer, byID map[uuid.UUID]*VisitView) error {
	var of uuid.UUID
	var s StageView
	var actor *uuid.UUID
	if err := row.Scan(&of, &s.Stage, &s.At, &actor, &s.Reason); err != nil {
		return err
	}
	utc(&s.At)
	if actor != nil {
		s.Actor = *actor
	}
	byID[of].Stages = append(byID[of].Stages, s)
	return nil
}

func scanConsent(row pgx.CollectableRow, _ phi.Sealer, byID map[uuid.UUID]*VisitView) error {
	var of uuid.UUID
	var c ConsentView
	if err := row.Scan(&of, &c.Participant, &c.Answer, &c.At); err != nil {
		return err
	}
	utc(&c.At)
	byID[of].Consents = append(byID[of].Consents, c)
	return nil
}

func scanVisitDelivery(row pgx.CollectableRow, sealer phi.Sealer, byID map[uuid.UUID]*VisitView) error {
	d, err := scanDelivery(row, sealer)
	if err != nil {
		return err
	}
	of := byID[d.Visit]
	of.Deliveries = append(of.Deliveries, d)
	return nil
}
