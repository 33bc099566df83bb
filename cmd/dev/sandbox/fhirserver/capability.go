package fhirserver

import (
	"slices"
	"strings"
)

// capability is the CapabilityStatement, made from the routing table.
func (s *Server) capability() map[string]any {
	var resources []map[string]any
	for _, rule := range typeRules() {
		resources = append(resources, s.resourceCapability(rule))
	}
	authBase := strings.TrimSuffix(s.base, "/fhir") + "/auth"
	return map[string]any{
		"resourceType": "CapabilityStatement", "status": "active", "date": s.now().UTC().Format("2006-01-02"), "kind": "instance", "fhirVersion": "4.0.1",
		"format": []string{"application/fhir+json", "json"}, "patchFormat": []string{"application/json-patch+json"},
		"software":       map[string]any{"name": "Sandbox Hospital EHR", "version": "1.0"},
		"implementation": map[string]any{"description": "A sandbox with synthetic data", "url": s.base},
		"rest": []map[string]any{{
			"mode": "server",
			"security": map[string]any{
				"cors":    true,
				"service": []map[string]any{{"coding": []map[string]any{{"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"}}}},
				"extension": []map[string]any{{"url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris", "extension": []map[string]any{
					{"url": "authorize", "valueUri": authBase + "/authorize"}, {"url": "token", "valueUri": authBase + "/token"},
					{"url": "introspect", "valueUri": authBase + "/introspect"}, {"url": "revoke", "valueUri": authBase + "/revoke"}}}},
			},
			"resource": resources,
		}},
	}
}

func (s *Server) resourceCapability(rule typeRule) map[string]any {
	names := []string{"read", "vread", "history-instance", "search-type"}
	writable := s.writable(rule)
	if writable {
		names = append(names, "create", "update", "patch")
	}
	var interactions []map[string]any
	for _, name := range names {
		interactions = append(interactions, map[string]any{"code": name})
	}
	var params []map[string]any
	var includes []string
	for _, p := range slices.Concat(commonParams(), rule.params) {
		params = append(params, map[string]any{"name": p.name, "type": p.kind})
		if p.kind == "reference" {
			includes = append(includes, rule.name+":"+p.name)
		}
	}
	out := map[string]any{
		"type": rule.name, "interaction": interactions, "versioning": "versioned-update", "readHistory": true,
		"updateCreate": false, "conditionalCreate": writable, "conditionalUpdate": false, "conditionalDelete": "not-supported",
		"referencePolicy": []string{"literal", "local", "enforced"}, "searchParam": params, "searchRevInclude": []string{"Provenance:target"},
	}
	if len(includes) > 0 {
		out["searchInclude"] = includes
	}
	return out
}

// Types lists the resource types of the server.
func Types() []string {
	var out []string
	for _, rule := range typeRules() {
		out = append(out, rule.name)
	}
	return out
}
