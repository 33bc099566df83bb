package audit

import (
	"net/netip"

	"github.com/google/uuid"
)

// Kind says what sort of actor acts.
type Kind string

// The kinds of actors.
const (
	Staff     Kind = "staff"
	Patient   Kind = "patient"
	Guest     Kind = "guest"
	Client    Kind = "client" // another system over the FHIR API
	System    Kind = "system"
	Anonymous Kind = "anonymous"
)

// Actor is who acts, and from where. IDs are ours, never names.
type Actor struct {
	Org       uuid.UUID
	Kind      Kind
	ID        uuid.UUID // staff or participant; zero for system and anonymous
	Roles     []string
	IP        netip.Addr
	RequestID string
	Purpose   string // v3-ActReason code: TREAT when empty, BTG for break-glass
}

// SystemActor acts for the server itself within an organisation.
func SystemActor(org uuid.UUID) Actor { return Actor{Org: org, Kind: System} }

// Outcome of an event.
type Outcome string

// The outcomes.
const (
	Success Outcome = "success"
	Refused Outcome = "refused"
	Failure Outcome = "failure"
)

// Event is one row of the trail. Detail holds ids, counts and codes; never a name or a text that somebody wrote.
type Event struct {
	Action     string // dotted, past tense: room.joined, stream.started, note.signed
	Outcome    Outcome
	Visit      uuid.UUID
	Room       uuid.UUID
	Patient    uuid.UUID
	ObjectKind string
	ObjectID   string
	Reason     string // required for admin.viewed and break-glass
	Detail     map[string]any
}
