package web

import "time"

// RecordingsView lists recordings.
type RecordingsView struct {
	Rail Rail
	Rows []RecordingRow
}

// Template names the page.
func (*RecordingsView) Template() string { return "staff/recordings" }

// RecordingRow is one recording.
type RecordingRow struct {
	ID       string
	Started  time.Time
	Patient  string
	Type     string
	State    string // running, finalizing, stored, failed, destroyed
	Problem  string
	Length   time.Duration
	Size     string
	Consents int // how many said yes
}

// PlayerView plays one.
type PlayerView struct {
	Recording   RecordingRow
	Clinician   string
	Fingerprint string
	ContentType string
	VisitHref   string
}

// Template names the page.
func (*PlayerView) Template() string { return "staff/player" }

// AuditView is the trail.
type AuditView struct {
	Query    AuditQuery
	Problem  string // key under audit.problem.
	Actions  []string
	Rows     []AuditRow
	Older    int64 // id to go on from; 0 at the end
	Verified Verification
}

// Template names the page.
func (*AuditView) Template() string { return "staff/audit" }

// AuditQuery is what was searched for.
type AuditQuery struct {
	Text, Action, Outcome, From, To string
}

// Verification is the last check of the whole trail.
type Verification struct {
	Done     bool
	At       time.Time
	Rows     int64
	Pending  int64
	Findings []string
}

// AuditRow is an event in the table.
type AuditRow struct {
	ID                    int64
	At                    time.Time
	Action, Outcome       string
	Who, WhoID, Role      string
	Visit, Patient, Room  string
	From, Request, Reason string
	Purpose               string
	Code                  string
}

// AuditEventView is one event: as prose, as facts, as FHIR, and its proof.
type AuditEventView struct {
	Row    AuditRow
	Detail []DetailLine
	FHIR   string
	Seal   SealState
}

// Template names the page.
func (*AuditEventView) Template() string { return "staff/audit-event" }

// DetailLine is a name and a value of the event's detail.
type DetailLine struct{ Name, Value string }

// SealState says where the event stands in the log.
type SealState struct {
	Sealed     bool
	Leaf       int64
	Checkpoint int64 // size of the log that the signed checkpoint covers
	SealedAt   time.Time
	Archived   bool
	Verified   bool   // the inclusion proof was checked just now
	LeafHash   string // hexadecimal
	Root       string
}

// BoundaryView is the map of where health information travels.
type BoundaryView struct {
	AsOf    time.Time
	Version string
	Hops    []HopView
	Map     []MapBox
	Edges   []MapEdge
	Height  int
}

// Template names the page.
func (*BoundaryView) Template() string { return "staff/boundary" }

// Faulty counts hops that are not covered.
func (v *BoundaryView) Faulty() int {
	n := 0
	for _, h := range v.Hops {
		if h.State == "missing" || h.State == "expired" {
			n++
		}
	}
	return n
}

// HopView is one hop in the table.
type HopView struct {
	Name, Kind, Operator string
	PHI                  bool
	Inside               bool // within the organisation's own boundary
	Encryption           string
	BAA                  string // its reference
	Expires              time.Time
	HasExpiry            bool
	State                string // covered, own, none-needed, expiring, expired, missing
	Endpoint             string
}

// MapBox is a box of the drawing, in SVG units.
type MapBox struct {
	X, Y, W, H int
	Name, Note string
	State      string
}

// MapEdge is a line from the server to a box.
type MapEdge struct {
	X1, Y1, X2, Y2 int
	LabelX, LabelY int
	Encryption     string
	State          string
}
