package scope

import "testing"

func TestParse(t *testing.T) {
	tests := []struct {
		text string
		ok   bool
		perm Permission
	}{
		{"user/Patient.rs", true, Read | Search},
		{"system/*.cruds", true, Create | Read | Update | Delete | Search},
		{"patient/Observation.read", true, Read | Search},
		{"patient/Observation.write", true, Create | Update | Delete},
		{"user/DocumentReference.c?category=clinical-note", true, Create},
		{"user/Patient.sr", false, 0},
		{"user/Patient.rr", false, 0},
		{"user/Patient.x", false, 0},
		{"user/Patient.", false, 0},
		{"user/Patient", false, 0},
		{"user/patient.r", false, 0},
		{"user/Patient.r?", false, 0},
		{"launch/patient", false, 0},
		{"openid", false, 0},
	}
	for _, test := range tests {
		got, ok := Parse(test.text)
		if ok != test.ok || got.Perm != test.perm {
			t.Errorf("Parse(%q) = %v, %v; want perm %v, %v", test.text, got, ok, test.perm, test.ok)
		}
	}
}

func TestSetCovers(t *testing.T) {
	set := ParseSet([]string{"openid", "user/*.rs", "user/DocumentReference.cruds?category=clinical-note", "system/Encounter.c"})
	tests := []struct {
		text string
		want bool
	}{
		{"user/Patient.r", true},
		{"user/Patient.rs", true},
		{"user/Patient.cr", false},
		{"system/Patient.r", false},
		{"user/DocumentReference.c", false},
		{"user/DocumentReference.c?category=clinical-note", true},
		{"user/DocumentReference.c?category=imaging", false},
		{"system/Encounter.c", true},
		{"user/*.rs", true},
		{"user/*.c", false},
	}
	for _, test := range tests {
		s, ok := Parse(test.text)
		if !ok {
			t.Fatalf("Parse(%q) refused", test.text)
		}
		if got := set.Covers(s); got != test.want {
			t.Errorf("Covers(%q) = %v; want %v", test.text, got, test.want)
		}
	}
	if len(set.Permits("Patient", Create)) != 0 || len(set.Permits("Encounter", Create)) != 1 {
		t.Error("Permits does not follow the scopes")
	}
}
