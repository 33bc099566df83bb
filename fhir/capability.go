package fhir

import (
	"time"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"
)

// Server is what a CapabilityStatement says; api/fhirapi makes it from its own table of routes, so that the two
// cannot differ.
type Server struct {
	URL       string // the FHIR base
	Version   string // of the software
	Date      time.Time
	Resources []ServedResource
}

// ServedResource is one resource type of a server.
type ServedResource struct {
	Type         string
	Profiles     []string
	Interactions []string // R4 type-restful-interaction codes
	Search       []SearchParam
	IfMatch      bool // updates ask for If-Match
}

// SearchParam is a search parameter and its R4 type (token, date, reference, ...).
type SearchParam struct {
	Name, Type string
}

// Capability is the CapabilityStatement of a server (R4, kind instance). Codes that R4 does not know are left out.
func Capability(s Server) []byte {
	rest := r4.CapabilityStatementRest{
		Mode: r4.RestfulCapabilityModeServer,
		Security: &r4.CapabilityStatementRestSecurity{
			Service: []r4.CodeableConcept{concept("http://terminology.hl7.org/CodeSystem/restful-security-service", "SMART-on-FHIR", "SMART-on-FHIR", "")},
		},
	}
	for _, resource := range s.Resources {
		if served, ok := servedResource(resource); ok {
			rest.Resource = append(rest.Resource, served)
		}
	}
	date := instant(s.Date)
	if date == nil {
		date = ptr("0001-01-01")
	}
	return encode(r4.CapabilityStatement{
		Url: token(s.URL + "/metadata"), Status: r4.PublicationStatusActive, Date: *date, Kind: r4.CapabilityStatementKindInstance,
		Software:       &r4.CapabilityStatementSoftware{Name: "Televisit", Version: str(s.Version)},
		Implementation: &r4.CapabilityStatementImplementation{Description: "Televisit FHIR API", Url: token(s.URL)},
		FhirVersion:    r4.FHIRVersion4_0_1,
		Format:         []string{"application/fhir+json"},
		PatchFormat:    []string{"application/json-patch+json"},
		Rest:           []r4.CapabilityStatementRest{rest},
	})
}

func servedResource(in ServedResource) (r4.CapabilityStatementRestResource, bool) {
	var out r4.CapabilityStatementRestResource
	if out.Type.UnmarshalJSON([]byte(in.Type)) != nil {
		return out, false
	}
	out.SupportedProfile = in.Profiles
	for _, name := range in.Interactions {
		var code r4.TypeRestfulInteraction
		if code.UnmarshalJSON([]byte(name)) == nil {
			out.Interaction = append(out.Interaction, r4.CapabilityStatementRestResourceInteraction{Code: code})
		}
	}
	for _, param := range in.Search {
		var kind r4.SearchParamType
		if kind.UnmarshalJSON([]byte(param.Type)) == nil && param.Name != "" {
			out.SearchParam = append(out.SearchParam, r4.CapabilityStatementRestResourceSearchParam{Name: param.Name, Type: kind})
		}
	}
	out.Versioning = ptr(r4.ResourceVersionPolicyVersioned)
	if in.IfMatch {
		out.Versioning = ptr(r4.ResourceVersionPolicyVersionedUpdate)
	}
	return out, true
}
