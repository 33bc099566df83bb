package sandbox

import "github.com/televisit/televisit/cmd/dev/sandbox/seed"

// Ready is what a sandbox tells whoever started it.
type Ready struct {
	Origin      string      `json:"origin"`
	FHIRBase    string      `json:"fhir_base"`
	SMARTIssuer string      `json:"smart_issuer"`
	StaffIssuer string      `json:"staff_issuer"`
	ChartURL    string      `json:"chart_url"`
	AdminToken  string      `json:"admin_token"`
	Users       []ReadyUser `json:"users"`
	Patients    int         `json:"patients"`
}

// ReadyUser is a user with the password in the clear: the people are made up.
type ReadyUser struct {
	Username     string   `json:"username"`
	Password     string   `json:"password"`
	Name         string   `json:"name"`
	Roles        []string `json:"roles"`
	Practitioner string   `json:"practitioner"`
	Subject      string   `json:"sub"`
}

// Ready returns the addresses, the users and the token of the administration interface.
func (s *Server) Ready() Ready {
	out := Ready{Origin: s.config.Origin, FHIRBase: s.fhirBase(), SMARTIssuer: s.config.Origin + "/auth", StaffIssuer: s.config.Origin + "/staff",
		ChartURL: s.config.Origin + "/", AdminToken: s.adminToken, Patients: seed.Patients()}
	for _, user := range s.users.All() {
		out.Users = append(out.Users, ReadyUser{Username: user.Username, Password: s.users.Password(user.Username), Name: user.Name,
			Roles: user.Roles, Practitioner: user.Practitioner, Subject: user.Subject})
	}
	return out
}
