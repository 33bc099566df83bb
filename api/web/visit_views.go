package web

import (
	"time"

	"github.com/televisit/televisit/media"
)

// visitViews lists the views of templates/visit.
func visitViews() []View { return []View{&WorkspaceView{}, &ReviewView{}, &ChartView{}} }

// WorkspaceView is one visit as its clinician works on it: before, during and after the call.
type WorkspaceView struct {
	ID            string
	State         string // stage: booked, arrived, in-call, ended, cancelled, no-show
	Recording     string // off, consented, running, finalizing, stored, failed
	Note          string // none, draft, signed, amended
	Person        Person
	WaitingSince  time.Time
	Checks        []DeviceCheck
	Consents      []ConsentLine
	Draft         Draft
	Signed        []SignedNote
	Deliveries    []DeliveryLine
	RecordingLine *RecordingLine
	// Entry spares the start of a call a request of its own; nil where no call may begin.
	Entry *RoomEntry
	// MayConfirmConsent offers to note a consent that the patient gave aloud, having asked for that.
	MayConfirmConsent bool
}

// Template names the page.
func (*WorkspaceView) Template() string { return "visit/workspace" }

// CanStart tells whether a call may begin or go on.
func (v *WorkspaceView) CanStart() bool {
	return v.State == "booked" || v.State == "arrived" || v.State == "in-call"
}

// Writable tells whether the draft may still be changed.
func (v *WorkspaceView) Writable() bool {
	return (v.CanStart() || v.State == "ended") && (v.Note == "none" || v.Note == "draft")
}

// CanReview tells whether the note may be signed, if it holds what it must.
func (v *WorkspaceView) CanReview() bool { return v.State == "ended" && v.Writable() }

// MayAmend tells whether an addendum may follow.
func (v *WorkspaceView) MayAmend() bool { return v.Note == "signed" || v.Note == "amended" }

// Badge is the kind of badge of the stage.
func (v *WorkspaceView) Badge() string {
	switch {
	case v.State == "in-call":
		return "live"
	case v.CanReview():
		return "sign"
	}
	return "quiet"
}

// Person is the patient as the head of the page shows them.
type Person struct {
	Name            string
	Age             string
	Gender, Pronoun string // Gender is FHIR's code
	BirthDate       string
	MRN             string // the last four characters
	Language        string // code
	Interpreter     bool
}

// RoomEntry lets one connection into the visit's room.
type RoomEntry struct {
	Token       string `json:"token"`
	Expires     string `json:"expires"` // RFC 3339
	Socket      string `json:"ws"`      // path of the signalling socket
	Room        string `json:"room"`
	Participant string `json:"participant"`
	// How media may travel, so that the browser begins to look for ways before it is welcomed in the room.
	ICEServers []media.ICEServer `json:"iceServers,omitempty"`
	Policy     string            `json:"policy"` // as in the room's welcome
}

// ConsentLine is somebody's answer to being recorded.
type ConsentLine struct{ Name, Answer string }

// Draft is the note as last saved.
type Draft struct {
	Version                                 int64
	SavedAt                                 time.Time
	Subjective, Objective, Assessment, Plan string
}

// SignedNote is a note, or an addendum to it, as it was signed.
type SignedNote struct {
	Kind        string // original, addendum, correction
	By          string
	At          time.Time
	Fingerprint string
	Sections    []NoteSection
}

// NoteSection is a part of a note; Key is subjective, objective, assessment, plan or addendum.
type NoteSection struct{ Key, Text string }

// DeliveryLine is a resource on its way to the EHR. Times are of the day, with seconds; empty when not reached.
type DeliveryLine struct {
	ID, Kind, State                 string
	Attempts                        int
	QueuedAt, UpdatedAt, AcceptedAt string
	Reference                       string
	Problem                         string
}

// Badge is the kind of badge of the state.
func (d DeliveryLine) Badge() string {
	switch d.State {
	case "accepted":
		return "done"
	case "rejected":
		return "failed"
	}
	return "waiting"
}

// Retry tells whether trying again may help.
func (d DeliveryLine) Retry() bool { return d.State == "rejected" }

// RecordingLine says what became of the recording.
type RecordingLine struct{ State, Href string }

// ReviewView is the note as it would be signed.
type ReviewView struct {
	ID                 string
	Person             Person
	Clinician          string
	Sections           []NoteSection
	Missing            []string
	Bytes, Fingerprint string
	Attestation        string
	StartedAt, EndedAt time.Time
	Zone               string
	Problem            string // incomplete, changed, or ""
	Action             string // where the form goes
	Section, Text      string // of an addendum
	Prove              string // where to prove again who signs, when the last proof is too old
}

// Template names the page.
func (*ReviewView) Template() string { return "visit/review" }

// ChartView is what the EHR's chart says of the patient; it is loaded beside the page.
type ChartView struct {
	EHR     string
	AsOf    string
	Problem string // offline, forbidden, none, or ""
	Lists   []ChartList
}

// Template names the page.
func (*ChartView) Template() string { return "visit/chart" }

// ChartList is one list of the chart: problems, medications, allergies.
type ChartList struct {
	Kind    string
	Items   []ChartItem
	Problem bool
}

// ChartItem is a line of it.
type ChartItem struct{ Text, Detail string }
