package identity

import (
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
)

// Role is what somebody is to the organisation.
type Role string

// The roles. Staff may hold several; the others hold exactly one.
const (
	Clinician  Role = "clinician"
	Scheduler  Role = "scheduler"
	Compliance Role = "compliance"
	Admin      Role = "admin"
	Patient    Role = "patient"
	Guest      Role = "guest"
	Client     Role = "client" // another system over the FHIR API
)

// Roles lists every role, in the order of the policy table's columns.
func Roles() []Role {
	return []Role{Clinician, Scheduler, Compliance, Admin, Patient, Guest, Client}
}

// IsStaffRole tells whether a role may be given to a person who works for the organisation.
func IsStaffRole(r Role) bool {
	return r == Clinician || r == Scheduler || r == Compliance || r == Admin
}

// Principal is somebody whose identity was proven.
type Principal struct {
	Session     uuid.UUID
	Org         uuid.UUID
	Kind        audit.Kind
	Staff       uuid.UUID // people of the organisation
	Participant uuid.UUID // patients and guests
	Visit       uuid.UUID // patients and guests: the only visit they may touch
	Roles       []Role
	CSRF        string    // to be repeated by every form of this session
	AuthTime    time.Time // when the identity was last proven, for step-up
	Connection  string    // name of the EHR or identity provider that vouched
	Grant       uuid.UUID // the EHR's tokens that came with the launch, if any
	Scopes      []string  // SMART scopes of an API client
}

// Actor is the principal as the trail names it.
func (p Principal) Actor(ip netip.Addr, requestID string) audit.Actor {
	id := p.Staff
	if id == uuid.Nil {
		id = p.Participant
	}
	roles := make([]string, len(p.Roles))
	for i, r := range p.Roles {
		roles[i] = string(r)
	}
	return audit.Actor{Org: p.Org, Kind: p.Kind, ID: id, Roles: roles, IP: ip, RequestID: requestID}
}

// Has tells whether the principal holds the role.
func (p Principal) Has(r Role) bool { return slices.Contains(p.Roles, r) }

// Caller is where a request comes from, before anybody is known.
type Caller struct {
	IP        netip.Addr
	RequestID string
}

// Anonymous is the caller as the trail of org names it.
func (c Caller) Anonymous(org uuid.UUID) audit.Actor {
	return audit.Actor{Org: org, Kind: audit.Anonymous, IP: c.IP, RequestID: c.RequestID}
}
