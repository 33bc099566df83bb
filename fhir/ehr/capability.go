package ehr

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

const capabilityLifetime = time.Hour

// Capability is what the EHR says that it can do (CapabilityStatement.rest of mode server).
type Capability struct {
	FHIRVersion string
	Software    string
	Types       map[string]Support
}

// Support is what can be done with one type of resource.
type Support struct {
	Interactions      []string // read, search-type, create, update, patch, ...
	ConditionalCreate bool
	SearchParams      []string
	PatchFormats      []string // of the whole server; empty: not told
}

// Can tells whether the EHR declares the interaction for the type.
func (c Capability) Can(typ, interaction string) bool {
	return slices.Contains(c.Types[typ].Interactions, interaction)
}

// Capability reads the CapabilityStatement, once an hour. It is public: no token is sent.
func (c *Client) Capability(ctx context.Context) (Capability, error) {
	c.mu.Lock()
	known, at := c.capability, c.capabilityAt
	c.mu.Unlock()
	if !at.IsZero() && c.now().Sub(at) < capabilityLifetime {
		return known, nil
	}
	out, err := c.do(ctx, call{interaction: "capabilities", method: http.MethodGet, path: "metadata", anonymous: true})
	if err != nil {
		return Capability{}, err
	}
	fresh, err := parseCapability(out.body)
	if err != nil {
		return Capability{}, &Permanent{Problem{Interaction: "capabilities", Status: out.status, RequestID: out.requestID, cause: err}}
	}
	c.mu.Lock()
	c.capability, c.capabilityAt = fresh, c.now()
	c.mu.Unlock()
	return fresh, nil
}

func parseCapability(raw []byte) (Capability, error) {
	r, err := Parse(raw)
	if err != nil {
		return Capability{}, err
	}
	if r.Type != "CapabilityStatement" {
		return Capability{}, notFHIR("no CapabilityStatement")
	}
	var s struct {
		FHIRVersion string   `json:"fhirVersion"`
		PatchFormat []string `json:"patchFormat"`
		Software    struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"software"`
		Rest []struct {
			Mode     string `json:"mode"`
			Resource []struct {
				Type        string `json:"type"`
				Interaction []struct {
					Code string `json:"code"`
				} `json:"interaction"`
				ConditionalCreate bool `json:"conditionalCreate"`
				SearchParam       []struct {
					Name string `json:"name"`
				} `json:"searchParam"`
			} `json:"resource"`
		} `json:"rest"`
	}
	if json.Unmarshal(raw, &s) != nil {
		return Capability{}, notFHIR("a malformed CapabilityStatement")
	}
	out := Capability{FHIRVersion: s.FHIRVersion, Software: strings.TrimSpace(s.Software.Name + " " + s.Software.Version), Types: map[string]Support{}}
	for _, rest := range s.Rest {
		if rest.Mode != "server" {
			continue
		}
		for _, res := range rest.Resource {
			support := Support{ConditionalCreate: res.ConditionalCreate, PatchFormats: s.PatchFormat}
			for _, i := range res.Interaction {
				support.Interactions = append(support.Interactions, i.Code)
			}
			for _, p := range res.SearchParam {
				support.SearchParams = append(support.SearchParams, p.Name)
			}
			out.Types[res.Type] = support
		}
	}
	return out, nil
}
