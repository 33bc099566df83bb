package ehr_test

import (
	"errors"
	"testing"

	"github.com/televisit/televisit/fhir/ehr"
)

func TestDemographics(t *testing.T) {
	p, err := ehr.Demographics([]byte(`{"resourceType":"Patient","id":"1","birthDate":"1984-02-29","gender":"female",
		"identifier":[{"use":"usual","value":"U-1"},{"use":"old","type":{"coding":[{"code":"MR"}]},"value":"OLD"},{"type":{"coding":[{"code":"MR"}]},"value":"MRN-1"}],
		"name":[{"use":"maiden","family":"Verdi"},{"use":"usual","text":"Annie"},{"use":"official","prefix":["Dr."],"given":["Anna","Maria"],"family":"Rossi"}],
		"telecom":[{"system":"phone","value":"1","use":"home"},{"system":"phone","value":"2","use":"mobile"},{"system":"phone","value":"3","use":"old"},{"system":"email","value":"a@example.org"}],
		"communication":[{"language":{"coding":[{"code":"en"}]}},{"language":{"coding":[{"code":"es-MX"}]},"preferred":true}]}`))
	if err != nil || p.Name.Reveal() != "Dr. Anna Maria Rossi" || p.BirthDate.Reveal() != "1984-02-29" || p.MRN.Reveal() != "MRN-1" || p.Phone.Reveal() != "2" ||
		p.Email.Reveal() != "a@example.org" || p.Gender != "female" || p.Language != "es-MX" || p.Deceased {
		t.Errorf("%v: %s, %s, %s, %s, %s %s", err, p.Name.Reveal(), p.BirthDate.Reveal(), p.MRN.Reveal(), p.Phone.Reveal(), p.Gender, p.Language)
	}
	p, err = ehr.Demographics([]byte(`{"resourceType":"Patient","birthDate":"1984","gender":"x<y","deceasedDateTime":"2020","telecom":[{"system":"phone","value":"9","use":"mobile"},{"system":"phone","value":"1","rank":1}],
		"identifier":[{"use":"usual","value":"U-1"}],"name":[{"use":"old","text":"Old"},{"given":["Only"]}],"communication":[{"language":{"text":"English"}}]}`))
	if err != nil || !p.BirthDate.IsZero() || p.Gender != "" || !p.Deceased || p.Phone.Reveal() != "1" || p.MRN.Reveal() != "U-1" || p.Name.Reveal() != "Only" || p.Language != "" {
		t.Errorf("a sparse patient: %v, %s", err, p.Name.Reveal())
	}
	if p, err = ehr.Demographics([]byte(`{"resourceType":"Patient"}`)); err != nil || !p.Name.IsZero() {
		t.Errorf("an empty patient: %v", err)
	}
	for name, raw := range map[string]string{"another type": `{"resourceType":"Person","birthDate":"1984-02-29"}`, "wrong shapes": `{"resourceType":"Patient","name":"Rossi"}`, "noise": `Rossi`} {
		if _, err := ehr.Demographics([]byte(raw)); !errors.Is(err, ehr.ErrNotFHIR) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if name, err := ehr.PractitionerName([]byte(`{"resourceType":"Practitioner","name":[{"text":"Dr Osei"}]}`)); err != nil || name.Reveal() != "Dr Osei" {
		t.Errorf("practitioner: %v", err)
	}
}

func TestAppointmentFacts(t *testing.T) {
	c := newChart(t, answer(200, ""))
	a, err := c.AppointmentFacts([]byte(`{"resourceType":"Appointment","id":"a","status":"booked","start":"2026-11-21T10:00:00-05:00","end":"2026-11-21T10:30:00-05:00","description":"d",
		"reasonCode":[{"coding":[{"display":"Cough"}]}],
		"participant":[{"actor":{"reference":"https://elsewhere.example/fhir/Patient/9"}},{"actor":{"reference":"Location/1"}},{"actor":{"reference":"` + c.Base() + `/Patient/1"}},
		{"actor":{"reference":"Practitioner/7"}},{"actor":{"reference":"Practitioner/8"}}]}`))
	if err != nil || a.Patient.Reveal() != "Patient/1" || a.Practitioner.Reveal() != "Practitioner/7" || a.Start.Hour() != 15 || a.End.Sub(a.Start).Minutes() != 30 || a.Reason.Reveal() != "Cough" || a.Status != "booked" {
		t.Errorf("%v: %s, %s, %v", err, a.Patient.Reveal(), a.Practitioner.Reveal(), a.Start)
	}
	if a, err = c.AppointmentFacts([]byte(`{"resourceType":"Appointment","status":"proposed","start":"2026-11-21T10:00:00"}`)); err != nil || !a.Start.IsZero() {
		t.Errorf("a time without an offset: %v, %v", a.Start, err)
	}
}
