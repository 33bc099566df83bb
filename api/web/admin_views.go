package web

import "time"

// CallsView lists a day's visits for those who keep the service running: ids, times and states.
type CallsView struct {
	Day      time.Time
	Previous string // dates
	Next     string
	Today    string
	IsToday  bool
	Rows     []CallRow
}

// Template names the page.
func (*CallsView) Template() string { return "staff/calls" }

// CallRow is one visit, without anybody's name.
type CallRow struct {
	ID               string
	StartsAt, EndsAt time.Time
	State            string // as on the worklist
	Recording        string // state, or "" when there is none
	HasStarted       bool
	Length           time.Duration // of the call, so far or in all
	Present          int
}

// InspectView asks an administrator for the reason to look at a visit, or shows what there is to see.
type InspectView struct {
	Visit   string
	Problem string // key under admin.problem.
	Reason  string
	Shown   *InspectedCall
}

// Template names the page.
func (*InspectView) Template() string { return "staff/inspect" }

// InspectedCall is how a call went.
type InspectedCall struct {
	CallRow
	Room       string
	Policy     string // sfu or relay-only
	Zone       string
	Losses     int
	Checks     []DeviceCheck
	People     []InspectedPerson
	Recordings []RecordingRow
	Deliveries []InspectedDelivery
	Timeline   []InspectedEvent
}

// InspectedPerson is a participant, by role.
type InspectedPerson struct {
	ID, Role            string
	HasJoined, HasLeft  bool
	JoinedAt, LeftAt    time.Time
	Streams, Interrupts int // interrupts: how often the connection was lost
}

// InspectedDelivery is how far the EHR has received something.
type InspectedDelivery struct {
	Kind, State, Problem string
	Attempts             int
	DueAt, AcceptedAt    time.Time
	HasAccepted          bool
}

// InspectedEvent is a line of the timeline.
type InspectedEvent struct {
	At              time.Time
	Role, Who       string // Who is the participant's id
	Action, Outcome string
	Kind, Code      string
	Mark            string // failed, live or quiet
	HasClock        bool
	Clock           time.Duration // since the call began
}
