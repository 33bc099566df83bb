package fhirserver

import (
	"slices"
	"strings"
	"sync"
)

// searchParam is one search parameter: kind and the paths it looks at.
type searchParam struct {
	name, kind string
	paths      []string
	// target limits a reference parameter to one resource type.
	target string
}

// codeRule is a required binding of a code element.
type codeRule struct {
	path   string
	values []string
}

// typeRule is what the server knows about a resource type.
type typeRule struct {
	name string
	// elements are the names besides those every resource has; a star marks those that repeat.
	elements string
	required []string
	codes    []codeRule
	params   []searchParam
	// compartment lists the search parameters that place the resource in a patient's compartment.
	compartment []string
	readOnly    bool
	// extra checks the invariants that the tables cannot say.
	extra func(resource map[string]any) *problem
}

const everyElement = "resourceType id meta implicitRules language text contained* extension* modifierExtension*"

func words(list string) []string { return strings.Fields(list) }

func codes(path, values string) codeRule { return codeRule{path: path, values: words(values)} }

func token(name string, paths ...string) searchParam {
	return searchParam{name: name, kind: "token", paths: paths}
}
func str(name string, paths ...string) searchParam {
	return searchParam{name: name, kind: "string", paths: paths}
}
func date(name string, paths ...string) searchParam {
	return searchParam{name: name, kind: "date", paths: paths}
}
func ref(name, target string, paths ...string) searchParam {
	return searchParam{name: name, kind: "reference", paths: paths, target: target}
}

// commonParams are search parameters of every type; their paths are handled apart.
func commonParams() []searchParam {
	return []searchParam{token("_id"), date("_lastUpdated")}
}

func (t typeRule) param(name string) (searchParam, bool) {
	for _, p := range slices.Concat(commonParams(), t.params) {
		if p.name == name {
			return p, true
		}
	}
	return searchParam{}, false
}

func ruleFor(name string) (typeRule, bool) {
	for _, rule := range typeRules() {
		if rule.name == name {
			return rule, true
		}
	}
	return typeRule{}, false
}

// typeRules is the routing table: /metadata, validation and search are all made from it
// (element lists, required elements, codes and parameters of FHIR R4 4.0.1). Nobody changes it.
var typeRules = sync.OnceValue(func() []typeRule {
	return slices.Concat(directoryRules(), schedulingRules(), clinicalRules())
})

func directoryRules() []typeRule {
	name := []searchParam{
		str("name", "name.text", "name.family", "name.given", "name.prefix", "name.suffix"),
		str("family", "name.family"), str("given", "name.given"),
	}
	gender := codes("gender", "male female other unknown")
	return []typeRule{
		{
			name:     "Patient",
			elements: "identifier* active name* telecom* gender birthDate deceasedBoolean deceasedDateTime address* maritalStatus multipleBirthBoolean multipleBirthInteger photo* contact* communication* generalPractitioner* managingOrganization link*",
			codes:    []codeRule{gender},
			params: append([]searchParam{token("identifier", "identifier"), token("active", "active"), token("gender", "gender"), date("birthdate", "birthDate"),
				token("telecom", "telecom"), token("phone", "telecom"), token("email", "telecom"), token("language", "communication.language"),
				str("address", "address.line", "address.city", "address.state", "address.postalCode"),
				ref("general-practitioner", "", "generalPractitioner"), ref("organization", "Organization", "managingOrganization")}, name...),
			compartment: []string{"_id"}, readOnly: true,
		},
		{
			name: "Practitioner", elements: "identifier* active name* telecom* address* gender birthDate photo* qualification* communication*",
			codes:    []codeRule{gender},
			params:   append([]searchParam{token("identifier", "identifier"), token("active", "active"), token("telecom", "telecom"), token("email", "telecom")}, name...),
			readOnly: true,
		},
		{
			name: "PractitionerRole", elements: "identifier* active period practitioner organization code* specialty* location* healthcareService* telecom* availableTime* notAvailable* availabilityExceptions endpoint*",
			params: []searchParam{token("identifier", "identifier"), token("active", "active"), ref("practitioner", "Practitioner", "practitioner"), ref("organization", "Organization", "organization"),
				token("specialty", "specialty"), token("role", "code"), ref("location", "Location", "location")},
			readOnly: true,
		},
		{
			name: "Organization", elements: "identifier* active type* name alias* telecom* address* partOf contact* endpoint*",
			params:   []searchParam{token("identifier", "identifier"), str("name", "name", "alias"), token("active", "active"), token("type", "type")},
			readOnly: true,
		},
		{
			name: "Location", elements: "identifier* status operationalStatus name alias* description mode type* telecom* address physicalType position managingOrganization partOf hoursOfOperation* availabilityExceptions endpoint*",
			codes:    []codeRule{codes("status", "active suspended inactive")},
			params:   []searchParam{token("identifier", "identifier"), str("name", "name", "alias"), token("status", "status"), ref("organization", "Organization", "managingOrganization")},
			readOnly: true,
		},
	}
}

func schedulingRules() []typeRule {
	return []typeRule{
		{
			name:     "Appointment",
			elements: "identifier* status cancelationReason serviceCategory* serviceType* specialty* appointmentType reasonCode* reasonReference* priority description supportingInformation* start end minutesDuration slot* created comment patientInstruction basedOn* participant* requestedPeriod*",
			required: words("status participant participant.status"),
			codes: []codeRule{codes("status", "proposed pending booked arrived fulfilled cancelled noshow entered-in-error checked-in waitlist"),
				codes("participant.status", "accepted declined tentative needs-action"), codes("participant.required", "required optional information-only")},
			params: []searchParam{token("identifier", "identifier"), token("status", "status"), date("date", "start"), ref("actor", "", "participant.actor"),
				ref("patient", "Patient", "participant.actor"), ref("practitioner", "Practitioner", "participant.actor"), ref("location", "Location", "participant.actor"),
				token("part-status", "participant.status"), token("service-type", "serviceType"), token("service-category", "serviceCategory"), token("specialty", "specialty"),
				token("appointment-type", "appointmentType"), token("reason-code", "reasonCode"), ref("slot", "Slot", "slot"), ref("supporting-info", "", "supportingInformation"), ref("based-on", "", "basedOn")},
			compartment: []string{"patient"}, extra: appointmentInvariants,
		},
		{
			name: "Slot", elements: "identifier* serviceCategory* serviceType* specialty* appointmentType schedule status start end overbooked comment",
			required: words("schedule status start end"),
			codes:    []codeRule{codes("status", "busy free busy-unavailable busy-tentative entered-in-error")},
			params: []searchParam{token("identifier", "identifier"), ref("schedule", "Schedule", "schedule"), date("start", "start"), token("status", "status"),
				token("service-type", "serviceType"), token("service-category", "serviceCategory"), token("specialty", "specialty"), token("appointment-type", "appointmentType")},
		},
		{
			name: "Schedule", elements: "identifier* active serviceCategory* serviceType* specialty* actor* planningHorizon comment",
			required: words("actor"),
			params: []searchParam{token("identifier", "identifier"), ref("actor", "", "actor"), date("date", "planningHorizon"), token("active", "active"),
				token("service-type", "serviceType"), token("service-category", "serviceCategory"), token("specialty", "specialty")},
			readOnly: true,
		},
	}
}

func clinicalRules() []typeRule {
	return []typeRule{
		{
			name:     "Encounter",
			elements: "identifier* status statusHistory* class classHistory* type* serviceType priority subject episodeOfCare* basedOn* participant* appointment* period length reasonCode* reasonReference* diagnosis* account* hospitalization location* serviceProvider partOf",
			required: words("status class subject"), // subject is 0..1 in R4, 1..1 in US Core
			codes:    []codeRule{codes("status", "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown")},
			params: []searchParam{token("identifier", "identifier"), token("status", "status"), date("date", "period"), token("class", "class"), token("type", "type"),
				ref("patient", "Patient", "subject"), ref("subject", "", "subject"), ref("participant", "", "participant.individual"), ref("practitioner", "Practitioner", "participant.individual"),
				ref("appointment", "Appointment", "appointment"), ref("location", "Location", "location.location"), ref("service-provider", "Organization", "serviceProvider"), token("participant-type", "participant.type")},
			compartment: []string{"patient"}, extra: encounterInvariants,
		},
		{
			name:     "DocumentReference",
			elements: "masterIdentifier identifier* status docStatus type category* subject date author* authenticator custodian relatesTo* description securityLabel* content* context",
			required: words("status type category subject content content.attachment content.attachment.contentType"),
			codes:    []codeRule{codes("status", "current superseded entered-in-error"), codes("docStatus", "preliminary final amended entered-in-error"), codes("relatesTo.code", "replaces transforms signs appends")},
			params: []searchParam{token("identifier", "masterIdentifier", "identifier"), token("status", "status"), token("type", "type"), token("category", "category"),
				date("date", "date"), date("period", "context.period"), ref("patient", "Patient", "subject"), ref("subject", "", "subject"), ref("author", "", "author"), ref("authenticator", "", "authenticator"),
				ref("encounter", "Encounter", "context.encounter"), ref("related", "", "context.related"), ref("relatesto", "DocumentReference", "relatesTo.target"), ref("custodian", "Organization", "custodian"), token("contenttype", "content.attachment.contentType")},
			compartment: []string{"patient"}, extra: documentInvariants,
		},
		{
			name: "Provenance", elements: "target* occurredPeriod occurredDateTime recorded policy* location reason* activity agent* entity* signature*",
			required: words("target recorded agent agent.who"),
			params: []searchParam{ref("target", "", "target"), date("recorded", "recorded"), ref("agent", "", "agent.who"), ref("patient", "Patient", "target"),
				token("signature-type", "signature.type")},
			compartment: []string{"patient"},
		},
		{
			name: "Consent", elements: "identifier* status scope category* patient dateTime performer* organization* sourceAttachment sourceReference policy* policyRule verification* provision",
			required: words("status scope category"),
			codes:    []codeRule{codes("status", "draft proposed active rejected inactive entered-in-error")},
			params: []searchParam{token("identifier", "identifier"), token("status", "status"), token("category", "category"), token("scope", "scope"), date("date", "dateTime"),
				ref("patient", "Patient", "patient"), ref("actor", "", "provision.actor.reference"), ref("consentor", "", "performer"), ref("organization", "Organization", "organization")},
			compartment: []string{"patient"},
		},
		{
			name: "Condition", elements: "identifier* clinicalStatus verificationStatus category* severity code bodySite* subject encounter onsetDateTime onsetAge onsetPeriod onsetRange onsetString abatementDateTime abatementAge abatementPeriod abatementRange abatementString recordedDate recorder asserter stage* evidence* note*",
			required: words("subject code"),
			params: []searchParam{token("identifier", "identifier"), ref("patient", "Patient", "subject"), ref("subject", "", "subject"), token("code", "code"), token("category", "category"),
				token("clinical-status", "clinicalStatus"), token("verification-status", "verificationStatus"), date("onset-date", "onsetDateTime", "onsetPeriod"), date("recorded-date", "recordedDate"), ref("encounter", "Encounter", "encounter")},
			compartment: []string{"patient"}, readOnly: true,
		},
		{
			name: "MedicationRequest", elements: "identifier* status statusReason intent category* priority doNotPerform reportedBoolean reportedReference medicationCodeableConcept medicationReference subject encounter supportingInformation* authoredOn requester performer performerType recorder reasonCode* reasonReference* instantiatesCanonical* instantiatesUri* basedOn* groupIdentifier courseOfTherapyType insurance* note* dosageInstruction* dispenseRequest substitution priorPrescription detectedIssue* eventHistory*",
			required: words("status intent subject"),
			codes:    []codeRule{codes("status", "active on-hold cancelled completed entered-in-error stopped draft unknown"), codes("intent", "proposal plan order original-order reflex-order filler-order instance-order option")},
			params: []searchParam{token("identifier", "identifier"), ref("patient", "Patient", "subject"), ref("subject", "", "subject"), token("status", "status"), token("intent", "intent"),
				token("code", "medicationCodeableConcept"), date("authoredon", "authoredOn"), ref("encounter", "Encounter", "encounter"), ref("requester", "", "requester")},
			compartment: []string{"patient"}, readOnly: true,
		},
		{
			name: "AllergyIntolerance", elements: "identifier* clinicalStatus verificationStatus type category* criticality code patient encounter onsetDateTime onsetAge onsetPeriod onsetRange onsetString recordedDate recorder asserter lastOccurrence note* reaction*",
			required: words("patient code"),
			codes:    []codeRule{codes("type", "allergy intolerance"), codes("category", "food medication environment biologic"), codes("criticality", "low high unable-to-assess")},
			params: []searchParam{token("identifier", "identifier"), ref("patient", "Patient", "patient"), token("code", "code"), token("category", "category"), token("criticality", "criticality"),
				token("clinical-status", "clinicalStatus"), token("verification-status", "verificationStatus"), date("date", "recordedDate")},
			compartment: []string{"patient"}, readOnly: true,
		},
		{
			name: "Binary", elements: "contentType securityContext data",
			required: words("contentType data"), extra: binaryInvariants,
		},
	}
}
