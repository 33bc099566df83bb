package scheduling

import (
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling/visit"
)

// VisitView is all that is known of a visit, health information opened. Times are UTC.
type VisitView struct {
	ID, Org, Room  uuid.UUID
	Version        int64
	StartsAt       time.Time
	EndsAt         time.Time
	VisitType      string
	MediaPolicy    string
	Interpreter    string // the language interpreted from or to, or ""
	Language       string // the patient's, BCP 47
	Reason         phi.Text
	State          visit.State
	ArrivedAt      *time.Time
	StartedAt      *time.Time
	EndedAt        *time.Time
	EndReason      string // a code
	DeviceCheck    DeviceCheck
	EHR            string
	Appointment    phi.Text // "Appointment/id" at the EHR, or empty
	Encounter      phi.Text // "Encounter/id" at the EHR, or empty
	ClientResource phi.Text // the Appointment as a FHIR client sent it, or empty
	CreatedAt      time.Time
	UpdatedAt      time.Time

	Clinician    ClinicianView
	Patient      PatientView
	Participants []ParticipantView
	Stages       []StageView
	Consents     []ConsentView
	Recording    *RecordingView // the latest, or nil
	Deliveries   []DeliveryView
}

// ClinicianView is the clinician of a visit.
type ClinicianView struct {
	ID           uuid.UUID
	Name         phi.Text
	Practitioner phi.Text // "Practitioner/id" at the visit's EHR, or empty
	TimeZone     string
}

// PatientView is a patient.
type PatientView struct {
	ID        uuid.UUID
	EHR       string
	Reference phi.Text // "Patient/id" at that EHR
	Name      phi.Text
	BirthDate phi.Date
	Details   phi.Text // JSON: pronoun, gender, mrn, phone, email
	Language  string
	FetchedAt time.Time
}

// Participant roles.
const (
	RoleClinician = "clinician"
	RolePatient   = "patient"
	RoleGuest     = "guest"
)

// ParticipantView is somebody of the call. ID is what media and signalling know.
type ParticipantView struct {
	ID       uuid.UUID
	Role     string
	Staff    uuid.UUID // zero for patients and guests
	Label    phi.Text  // a guest's name
	JoinedAt *time.Time
	LeftAt   *time.Time
}

// StageView is a stage that the visit held, and since when.
type StageView struct {
	Stage  visit.Stage
	At     time.Time
	Actor  uuid.UUID
	Reason string
}

// Consent answers.
const (
	AnswerYes = "yes"
	AnswerNo  = "no"
	AnswerAsk = "ask" // "ask me in the call"
)

// ConsentView is a participant's latest answer to being recorded.
type ConsentView struct {
	Participant uuid.UUID
	Answer      string
	At          time.Time
}

// RecordingView is what is known of a recording.
type RecordingView struct {
	ID          uuid.UUID
	State       string // running, finalizing, stored, failed, destroyed
	StartedAt   time.Time
	StoppedAt   *time.Time
	StoredAt    *time.Time
	Duration    time.Duration
	Bytes       int64
	SHA256      []byte
	ContentType string
	Problem     string
}

// Delivery kinds.
const (
	DeliverAppointment = "appointment"
	DeliverEncounter   = "encounter"
	DeliverNote        = "note"
	DeliverRecording   = "recording"
)

// DeliveryView is a resource that the EHR is to receive. ID is also its business identifier.
type DeliveryView struct {
	ID         uuid.UUID
	Visit      uuid.UUID
	EHR        string
	Kind       string
	Subject    uuid.UUID // the signed note or the recording
	State      visit.Delivery
	Attempts   int
	Reference  phi.Text
	ETag       string
	Problem    string // a safe sentence
	DueAt      time.Time
	AcceptedAt *time.Time
	UpdatedAt  time.Time
}

// DeviceCheck is how the patient's devices did before the call: "", ok, poor, failed, denied or skipped.
type DeviceCheck struct {
	Camera     string `json:"camera,omitempty"`
	Microphone string `json:"microphone,omitempty"`
	Speaker    string `json:"speaker,omitempty"`
	Network    string `json:"network,omitempty"`
}

func (d DeviceCheck) validate() error {
	for field, result := range map[string]string{"camera": d.Camera, "microphone": d.Microphone, "speaker": d.Speaker, "network": d.Network} {
		switch result {
		case "", "ok", "poor", "failed", "denied", "skipped":
		default:
			return &Invalid{Field: field, Problem: "must be ok, poor, failed, denied or skipped"}
		}
	}
	return nil
}

// Participant gives the participant of a role, or nil; for guests the first.
func (v VisitView) Participant(role string) *ParticipantView {
	for i := range v.Participants {
		if v.Participants[i].Role == role {
			return &v.Participants[i]
		}
	}
	return nil
}
