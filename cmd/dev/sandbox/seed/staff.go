package seed

import "github.com/televisit/televisit/cmd/dev/sandbox/accounts"

// Staff lists the users of the hospital.
func Staff() []accounts.User {
	var out []accounts.User
	for _, c := range clinicians() {
		out = append(out, accounts.User{Subject: "u-" + c.key, Username: c.username, Name: "Dr. " + c.given + " " + c.family,
			Email: c.username + "@sandbox-hospital.example", Roles: []string{accounts.RoleClinician}, Practitioner: "Practitioner/" + c.id()})
	}
	return append(out,
		accounts.User{Subject: "u-okafor", Username: "n.okafor", Name: "Nneka Okafor", Email: "n.okafor@sandbox-hospital.example", Roles: []string{accounts.RoleScheduler}},
		accounts.User{Subject: "u-brandt", Username: "l.brandt", Name: "Lena Brandt", Email: "l.brandt@sandbox-hospital.example", Roles: []string{accounts.RoleCompliance}},
		accounts.User{Subject: "u-admin", Username: "admin", Name: "Sam Whitfield", Email: "admin@sandbox-hospital.example", Roles: []string{accounts.RoleAdmin}},
	)
}

type clinician struct {
	key, username, given, family, gender, npi string
	specialty, specialtyCode                  string
}

func (c clinician) id() string { return "prac-" + c.key }

func clinicians() []clinician {
	return []clinician{
		{"osei", "k.osei", "Kwame", "Osei", "male", "1992000018", "Family medicine", "207Q00000X"},
		{"lindqvist", "m.lindqvist", "Maja", "Lindqvist", "female", "1992000026", "Internal medicine", "207R00000X"},
		{"haddad", "r.haddad", "Rania", "Haddad", "female", "1992000034", "Pediatrics", "208000000X"},
	}
}
