package web

import "time"

// ScheduleView is the scheduler's day with the panel beside it.
type ScheduleView struct {
	Day        time.Time
	Previous   string // dates
	Next       string
	Today      string
	List       bool // as a table instead of columns
	Clinicians []ClinicianChoice
	Columns    []DayColumn
	Hours      []HourLine
	Panel      BookPanel
}

// Template names the page.
func (*ScheduleView) Template() string { return "staff/schedule" }

// Rules are the style rules that place the blocks; the policy forbids style attributes.
func (v *ScheduleView) Rules() []BlockRule {
	var rules []BlockRule
	for _, c := range v.Columns {
		for _, b := range c.Blocks {
			rules = append(rules, BlockRule{b.ID, b.Top, b.Height})
		}
	}
	return rules
}

// Visits counts what is booked.
func (v *ScheduleView) Visits() int {
	n := 0
	for _, c := range v.Columns {
		n += len(c.Blocks)
	}
	return n
}

// BlockRule places a block: pixels from the top of its column.
type BlockRule struct {
	ID          string
	Top, Height int
}

// ClinicianChoice is somebody who can be booked.
type ClinicianChoice struct {
	ID, Name, Zone string
	Selected       bool
}

// HourLine is a line of the time axis.
type HourLine struct {
	Label string
	Top   int
}

// DayColumn is one clinician's day.
type DayColumn struct {
	ID, Name, Zone string
	Blocks         []Block
	Now            int  // pixels; where the line of the present runs
	HasNow         bool // the present is on this day
}

// Block is one visit.
type Block struct {
	ID          string
	StartsAt    time.Time
	EndsAt      time.Time
	Patient     string
	Type, State string
	Interpreter bool
	Top, Height int
	Selected    bool
}

// BookPanel is the side panel: it finds a patient, then books; or shows a visit that is booked.
type BookPanel struct {
	Step      string // closed, search, results, book, booked, visit
	Query     PatientQuery
	Problem   string // key of a text under schedule.problem.
	EHRs      []string
	Found     []FoundPatient
	AsOf      time.Time
	Patient   FoundPatient
	Types     []VisitType
	Clinician string
	Type      string
	Day       string
	Slots     []SlotChoice
	Taken     bool // the time chosen was booked by somebody else
	Language  string
	Languages []string
	Reason    string
	Booked    BookedVisit
}

// PatientQuery is what was searched for; it is shown again when it cannot be used.
type PatientQuery struct{ EHR, Family, Given, BirthDate, MRN string }

// FoundPatient is a patient of the EHR.
type FoundPatient struct {
	ID        string // ours, once chosen
	EHR, Ref  string // at the EHR
	Name      string
	BirthDate string
	Age       string
	Gender    string
	MRN       string // its last characters
	Language  string
}

// VisitType is a kind of visit and its usual length.
type VisitType struct {
	Code     string
	Minutes  int
	Selected bool
}

// SlotChoice is a free time.
type SlotChoice struct {
	Value     string // RFC 3339
	StartsAt  time.Time
	Clinician string // id
	Name      string // of the clinician, when any will do
	First     bool
}

// BookedVisit is a visit in the panel.
type BookedVisit struct {
	ID          string
	Version     int64
	StartsAt    time.Time
	EndsAt      time.Time
	Clinician   string
	ClinicianID string
	Patient     string
	Type, State string
	Link        string
	Undo        bool
	Movable     bool
	Moved       bool
}

// LinkView shows a patient's link, to be copied.
type LinkView struct {
	Patient   string
	StartsAt  time.Time
	Clinician string
	Link      string
	Expires   time.Time
}

// Template names the page.
func (*LinkView) Template() string { return "staff/link" }
