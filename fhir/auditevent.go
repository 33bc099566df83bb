package fhir

import (
	"strings"

	"github.com/google/uuid"
	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/televisit/televisit/audit"
)

// Profiles of IHE Basic Audit Log Patterns 1.1 that an event may claim.
const balp = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."

const (
	systemDCM         = "http://dicom.nema.org/resources/ontology/DCM"
	systemInteraction = "http://hl7.org/fhir/restful-interaction"
	systemEventType   = "http://terminology.hl7.org/CodeSystem/audit-event-type"
	systemAction      = SystemBase + "CodeSystem/audit-action"
	systemEntityType  = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
	systemObjectRole  = "http://terminology.hl7.org/CodeSystem/object-role"
	systemBALPEntity  = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
)

// AuditEvent maps a row of the trail to the IHE BALP shape. origin is this server's base URL. The profile is claimed
// only where the row has all that it asks for (a successful create, read or update by a client whose address is known).
func AuditEvent(row audit.Row, origin string) []byte {
	k := kindOf(row.Action)
	e := r4.AuditEvent{
		Id:       ptr(decimal(row.ID)),
		Type:     k.category,
		Subtype:  k.subtypes(row.Action),
		Action:   &k.action,
		Recorded: recorded(row),
		Outcome:  ptr(auditOutcome(row.Outcome)),
		Agent:    agents(row, k, origin),
		Source: r4.AuditEventSource{
			Site: str(origin), Observer: r4.Reference{Display: ptr("Televisit")},
			Type: []r4.Coding{coding("http://terminology.hl7.org/CodeSystem/security-source-type", "4", "Application Server")},
		},
		Entity: entities(row),
	}
	if row.Purpose != "" {
		e.PurposeOfEvent = []r4.CodeableConcept{purpose(row.Purpose)}
	}
	if reason := str(row.Reason); reason != nil {
		e.OutcomeDesc = reason
	}
	meta := &Serve{ID: decimal(row.ID), Version: 1, UpdatedAt: row.Recorded}
	e.Meta = meta.meta(profilesOf(row, k)...)
	return encode(e)
}

// auditKind is how an action of ours looks to IHE.
type auditKind struct {
	category    r4.Coding
	interaction string // code of restful-interaction, or "" when no profile fits
	dcm         *r4.Coding
	action      r4.AuditEventAction
	profile     string // suffix of balp, with "Patient" put before it when a patient is concerned
	reading     bool   // the client is the destination, the server the source
}

// kindOf names an action by its last word: they are past tense, subject.verb.
func kindOf(action string) auditKind {
	subject, verb, _ := strings.Cut(action, ".")
	if i := strings.LastIndexByte(verb, '-'); i >= 0 && verb != "no-show" {
		verb = verb[i+1:]
	}
	rest := coding(systemEventType, "rest", "Restful Operation")
	switch {
	case oneOf(subject, "login", "logout", "session", "launch", "sso"):
		return auditKind{category: coding(systemDCM, "110114", "User Authentication"), dcm: loginKind(subject, verb), action: r4.AuditEventActionE}
	case subject == "breakglass" || subject == "break-glass" || subject == "security":
		return auditKind{category: coding(systemDCM, "110113", "Security Alert"), action: r4.AuditEventActionE}
	case oneOf(verb, "read", "viewed", "downloaded", "opened", "reviewed"):
		return auditKind{category: rest, interaction: "read", action: r4.AuditEventActionR, profile: "Read", reading: true}
	case oneOf(verb, "searched", "listed", "found"):
		return auditKind{category: rest, interaction: "search", action: r4.AuditEventActionE, reading: true}
	case oneOf(verb, "created", "booked", "queued", "signed", "added", "invited"):
		return auditKind{category: rest, interaction: "create", action: r4.AuditEventActionC, profile: "Create"}
	case oneOf(verb, "updated", "moved", "cancelled", "saved", "amended", "arrived", "no-show", "changed", "revoked", "linked"):
		return auditKind{category: rest, interaction: "update", action: r4.AuditEventActionU, profile: "Update"}
	default:
		return auditKind{category: coding(systemDCM, "110100", "Application Activity"), action: r4.AuditEventActionE}
	}
}

func loginKind(subject, verb string) *r4.Coding {
	if subject == "logout" || oneOf(verb, "ended", "all", "expired") {
		return ptr(coding(systemDCM, "110123", "Logout"))
	}
	return ptr(coding(systemDCM, "110122", "Login"))
}

func oneOf(s string, set ...string) bool {
	for _, x := range set {
		if s == x {
			return true
		}
	}
	return false
}

func (k auditKind) subtypes(action string) []r4.Coding {
	var out []r4.Coding
	if k.interaction != "" {
		out = append(out, coding(systemInteraction, k.interaction, k.interaction))
	}
	if k.dcm != nil {
		out = append(out, *k.dcm)
	}
	return append(out, coding(systemAction, action, ""))
}

func profilesOf(row audit.Row, k auditKind) []string {
	if k.profile == "" || row.Outcome != string(audit.Success) || row.IP == nil || !hasData(row) {
		return nil
	}
	if row.Patient != nil {
		return []string{balp + "Patient" + k.profile}
	}
	return []string{balp + k.profile}
}

func auditOutcome(o string) r4.AuditEventOutcome {
	switch o {
	case string(audit.Success):
		return r4.AuditEventOutcome0
	case string(audit.Refused):
		return r4.AuditEventOutcome4
	default:
		return r4.AuditEventOutcome8
	}
}

// recorded is required by R4; a row always has it, and the zero time maps to the first instant that FHIR can write.
func recorded(row audit.Row) string {
	if at := instant(row.Recorded); at != nil {
		return *at
	}
	return "0001-01-01T00:00:00.000Z"
}

// agents are the client's machine, this server and the person. For a read the data flows from server to client.
func agents(row audit.Row, k auditKind, origin string) []r4.AuditEventAgent {
	source, destination := coding(systemDCM, "110153", "Source Role ID"), coding(systemDCM, "110152", "Destination Role ID")
	clientRole, serverRole := source, destination
	if k.reading {
		clientRole, serverRole = destination, source
	}
	server := r4.AuditEventAgent{
		Type: &r4.CodeableConcept{Coding: []r4.Coding{serverRole}},
		Who:  &r4.Reference{Display: ptr("Televisit")},
	}
	if at := token(origin); at != nil {
		server.Network = &r4.AuditEventAgentNetwork{Address: at, Type: ptr(r4.AuditEventAgentNetworkType5)}
	}
	out := []r4.AuditEventAgent{server}
	if row.IP != nil && row.IP.IsValid() {
		out = append(out, r4.AuditEventAgent{
			Type:    &r4.CodeableConcept{Coding: []r4.Coding{clientRole}},
			Who:     &r4.Reference{Display: ptr("the client's machine")},
			Network: &r4.AuditEventAgentNetwork{Address: ptr(row.IP.String()), Type: ptr(r4.AuditEventAgentNetworkType2)},
		})
	}
	return append(out, person(row, k))
}

func person(row audit.Row, k auditKind) r4.AuditEventAgent {
	kind := concept(systemParticipant, "AUT", "author (originator)", "")
	if k.reading {
		kind = concept(systemParticipant, "IRCP", "information recipient", "")
	}
	who := r4.Reference{Display: str(row.ActorKind)}
	if row.ActorID != nil {
		who.Identifier = &r4.Identifier{System: ptr(SystemURI), Value: ptr(URN(*row.ActorID))}
	}
	if who.Display == nil && who.Identifier == nil {
		who.Display = ptr("unknown")
	}
	agent := r4.AuditEventAgent{Type: &kind, Who: &who, Requestor: true}
	for _, role := range row.ActorRoles {
		agent.Role = append(agent.Role, concept(SystemBase+"CodeSystem/role", role, "", ""))
	}
	if row.Purpose != "" {
		agent.PurposeOfUse = []r4.CodeableConcept{purpose(row.Purpose)}
	}
	return agent
}

func purpose(code string) r4.CodeableConcept {
	display := map[string]string{"TREAT": "treatment", "BTG": "break the glass", "HOPERAT": "healthcare operations"}[code]
	return concept("http://terminology.hl7.org/CodeSystem/v3-ActReason", code, display, "")
}

func hasData(row audit.Row) bool { return row.ObjectID != "" || row.Visit != nil }

func entities(row audit.Row) []r4.AuditEventEntity {
	var out []r4.AuditEventEntity
	if hasData(row) {
		out = append(out, r4.AuditEventEntity{
			What: dataOf(row), Type: ptr(coding(systemEntityType, "2", "System Object")), Role: ptr(coding(systemObjectRole, "4", "Domain Resource")),
		})
	}
	if row.Patient != nil {
		out = append(out, r4.AuditEventEntity{
			What: &r4.Reference{Reference: ptr("Patient/" + row.Patient.String())},
			Type: ptr(coding(systemEntityType, "1", "Person")), Role: ptr(coding(systemObjectRole, "1", "Patient")),
		})
	}
	if row.Room != nil {
		out = append(out, identified("room", row.Room.String()))
	}
	if id := str(row.RequestID); id != nil {
		out = append(out, r4.AuditEventEntity{
			What: &r4.Reference{Identifier: &r4.Identifier{Value: id}}, Type: ptr(coding(systemBALPEntity, "XrequestId", "X-Request-Id")),
		})
	}
	return out
}

// dataOf is what was acted on: the named object, else the visit, which our API serves as an Appointment.
func dataOf(row audit.Row) *r4.Reference {
	if row.ObjectID == "" {
		return &r4.Reference{Reference: ptr("Appointment/" + row.Visit.String())}
	}
	return identified(row.ObjectKind, row.ObjectID).What
}

func identified(kind, id string) r4.AuditEventEntity {
	identifier := r4.Identifier{System: token(SystemBase + "NamingSystem/" + kind), Value: str(id)}
	if parsed, err := uuid.Parse(id); err == nil {
		identifier = r4.Identifier{System: ptr(SystemURI), Value: ptr(URN(parsed))}
	}
	return r4.AuditEventEntity{What: &r4.Reference{Identifier: &identifier, Display: str(kind)}, Name: str(kind)}
}
