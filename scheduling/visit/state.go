package visit

import (
	"time"

	"github.com/google/uuid"
)

// Stage is where the visit stands.
type Stage string

// The stages. A dropped connection is a fact of the media, not a stage.
const (
	Booked    Stage = "booked"
	Arrived   Stage = "arrived"
	InCall    Stage = "in-call"
	Ended     Stage = "ended"
	Cancelled Stage = "cancelled"
	NoShow    Stage = "no-show"
)

// Note is how far the clinician's note is.
type Note string

// The states of a note.
const (
	NoteNone    Note = "none"
	NoteDraft   Note = "draft"
	NoteSigned  Note = "signed"
	NoteAmended Note = "amended"
)

// Recording is how far the recording is.
type Recording string

// The states of a recording.
const (
	RecordingOff        Recording = "off"
	RecordingConsented  Recording = "consented"
	RecordingRunning    Recording = "running"
	RecordingFinalizing Recording = "finalizing"
	RecordingStored     Recording = "stored"
	RecordingFailed     Recording = "failed"
)

// Delivery is how far the write-back to the EHR is.
type Delivery string

// The states of a delivery.
const (
	DeliveryNone     Delivery = "none"
	DeliveryDue      Delivery = "due"
	DeliverySent     Delivery = "sent"
	DeliveryAccepted Delivery = "accepted"
	DeliveryRejected Delivery = "rejected"
)

// State is the four together.
type State struct {
	Stage     Stage
	Note      Note
	Recording Recording
	Delivery  Delivery
}

// New is the state of a visit just booked.
func New() State {
	return State{Stage: Booked, Note: NoteNone, Recording: RecordingOff, Delivery: DeliveryNone}
}

// Visit is what the rules need to know of a visit. Times are UTC.
type Visit struct {
	ID        uuid.UUID
	State     State
	ArrivedAt *time.Time
	StartedAt *time.Time
	EndedAt   *time.Time
	EndReason string
}

// Command asks for a change.
type Command string

// The commands.
const (
	Arrive          Command = "arrive"
	Start           Command = "start"
	End             Command = "end"
	Cancel          Command = "cancel"
	MarkNoShow      Command = "mark-no-show"
	Reschedule      Command = "reschedule"
	GiveConsent     Command = "give-consent"
	WithdrawConsent Command = "withdraw-consent"
	StartRecording  Command = "start-recording"
	StopRecording   Command = "stop-recording"
	StoreRecording  Command = "store-recording"
	FailRecording   Command = "fail-recording"
	SaveDraft       Command = "save-draft"
	Sign            Command = "sign"
	Amend           Command = "amend"
	SendDelivery    Command = "send-delivery"
	AcceptDelivery  Command = "accept-delivery"
	RejectDelivery  Command = "reject-delivery"
	RetryDelivery   Command = "retry-delivery"
)

// Commands lists every command, in the order of the documentation.
func Commands() []Command {
	return []Command{Arrive, Start, End, Cancel, MarkNoShow, Reschedule, GiveConsent, WithdrawConsent, StartRecording,
		StopRecording, StoreRecording, FailRecording, SaveDraft, Sign, Amend, SendDelivery, AcceptDelivery, RejectDelivery, RetryDelivery}
}

// Event is what happened, in the past tense; it is also the audit action.
type Event string

// The events.
const (
	PatientArrived     Event = "visit.arrived"
	CallStarted        Event = "visit.started"
	CallEnded          Event = "visit.ended"
	VisitCancelled     Event = "visit.cancelled"
	VisitMissed        Event = "visit.no-show"
	VisitMoved         Event = "visit.moved"
	ConsentGiven       Event = "recording.consented"
	ConsentWithdrawn   Event = "recording.consent-withdrawn"
	RecordingStarted   Event = "recording.started"
	RecordingStopped   Event = "recording.stopped"
	RecordingWasStored Event = "recording.stored"
	RecordingHasFailed Event = "recording.failed"
	DraftSaved         Event = "note.saved"
	NoteWasSigned      Event = "note.signed"
	NoteWasAmended     Event = "note.amended"
	DeliveryQueued     Event = "delivery.queued"
	DeliveryWasSent    Event = "delivery.sent"
	DeliveryWasTaken   Event = "delivery.accepted"
	DeliveryWasRefused Event = "delivery.rejected"
)
