package fhir

import (
	"strings"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/televisit/televisit/identity/phi"
)

// Person is what our API tells of a patient or a clinician: enough to resolve a reference, and where the chart is.
type Person struct {
	Serve     *Serve
	Name      phi.Text
	BirthDate phi.Date // patients only
	Language  string   // BCP 47, patients only
	Chart     phi.Text // absolute URL of the resource at the EHR, optional
}

// Patient maps a person to R4 Patient; the chart stays in the EHR, which link.other names.
func Patient(p Person) []byte {
	out := r4.Patient{Id: p.Serve.id(), Meta: p.Serve.meta(), Name: names(p.Name)}
	if d := p.BirthDate.Reveal(); d != "" {
		out.BirthDate = &d
	}
	if code := token(p.Language); code != nil {
		out.Communication = []r4.PatientCommunication{{Language: concept("urn:ietf:bcp:47", *code, "", ""), Preferred: ptr(true)}}
	}
	if chart := token(p.Chart.Reveal()); chart != nil {
		out.Identifier = []r4.Identifier{{System: ptr(SystemURI), Value: chart}}
	}
	return encode(out)
}

// Practitioner maps a person to R4 Practitioner.
func Practitioner(p Person) []byte {
	out := r4.Practitioner{Id: p.Serve.id(), Meta: p.Serve.meta(), Name: names(p.Name), Active: ptr(true)}
	if chart := token(p.Chart.Reveal()); chart != nil {
		out.Identifier = []r4.Identifier{{System: ptr(SystemURI), Value: chart}}
	}
	return encode(out)
}

// names gives the whole name as text; it is never cut into given and family by guess.
func names(n phi.Text) []r4.HumanName {
	text := str(strings.Join(strings.Fields(n.Reveal()), " "))
	if text == nil {
		return nil
	}
	return []r4.HumanName{{Text: text}}
}
