package web

import "time"

// WorklistView is a clinician's day, or one of the lists of what is left to do.
type WorklistView struct {
	List   string // today, signing, delivery
	Day    time.Time
	Zone   string
	Rail   Rail
	Groups []WorklistGroup
	AsOf   time.Time
}

// Template names the page.
func (*WorklistView) Template() string { return "staff/worklist" }

// Waiting is how many wait, for the tab's title.
func (v *WorklistView) Waiting() int {
	for _, g := range v.Groups {
		if g.Key == "waiting" {
			return len(g.Rows)
		}
	}
	return 0
}

// Empty tells whether there is no row at all.
func (v *WorklistView) Empty() bool {
	for _, g := range v.Groups {
		if len(g.Rows) > 0 {
			return false
		}
	}
	return true
}

// Rail is the column of lists beside the worklist.
type Rail struct {
	Current                     string // today, signing, delivery, recordings
	Today, Signing, Undelivered int
}

// WorklistGroup is rows of one kind.
type WorklistGroup struct {
	Key  string // waiting, call, next, later, done
	Rows []WorklistRow
}

// WorklistRow is one visit.
type WorklistRow struct {
	ID           string
	StartsAt     time.Time
	Minutes      int
	Patient      string
	Age, Pronoun string
	Reason       string
	Type         string // code of the visit type
	Language     string // code; "" when it is the clinician's own
	Interpreter  bool
	Checks       []DeviceCheck
	State        string    // code of the badge
	Since        time.Time // of waiting or of the call
	Waited       int       // minutes
	Problem      string    // why the EHR has it not yet
	Action       RowAction
	Link, Cancel bool // what the menu offers
	NoShow       bool
}

// Urgency is how long the wait is: "", late (past 10 minutes), long (past 20).
func (r WorklistRow) Urgency() string {
	switch {
	case r.State != "waiting":
		return ""
	case r.Waited >= 20:
		return "long"
	case r.Waited >= 10:
		return "late"
	}
	return ""
}

// DeviceCheck is one result of the patient's check.
type DeviceCheck struct{ Device, Result string }

// Mark is the icon of the result.
func (d DeviceCheck) Mark() string {
	switch d.Result {
	case "ok":
		return "check"
	case "skipped":
		return "skip"
	}
	return "cross"
}

// RowAction is the one button that fits the state.
type RowAction struct {
	Key  string // text worklist.action.<key>
	Href string
	Post bool
}

// NoVisitView is shown after a launch for which no visit is booked.
type NoVisitView struct {
	Patient    string
	BirthDate  string
	Candidates []WorklistRow // visits of today that may be meant
	Token      string        // names the launch whose patient is meant
	Busy       bool          // the clinician has another visit right now
}

// Template names the page.
func (*NoVisitView) Template() string { return "staff/no-visit" }
