package seed

import (
	"encoding/json"
	"fmt"
	"time"
)

// Writer puts a resource under a chosen id unless it is already there.
type Writer interface {
	Seed(typ, id string, raw []byte) error
}

// Patients is the number of synthetic patients.
func Patients() int { return len(people()) }

type object = map[string]any
type list = []any

func put(w Writer, typ, id string, resource object) error {
	resource["resourceType"] = typ
	raw, err := json.Marshal(resource)
	if err != nil {
		return err
	}
	if err := w.Seed(typ, id, raw); err != nil {
		return fmt.Errorf("seed %s/%s: %w", typ, id, err)
	}
	return nil
}

func ref(reference, display string) object {
	return object{"reference": reference, "display": display}
}

func concept(system, code, display string) object {
	return object{"coding": list{object{"system": system, "code": code, "display": display}}, "text": display}
}

// Load writes the directory, the patients and their charts. It does nothing on later runs.
func Load(w Writer) error {
	if err := loadDirectory(w); err != nil {
		return err
	}
	for i, p := range people() {
		if err := loadPatient(w, i, p); err != nil {
			return err
		}
	}
	return nil
}

const (
	organization = "Organization/sandbox-hospital"
	hospital     = "Sandbox Hospital"
	location     = "Location/virtual-clinic"
)

func loadDirectory(w Writer) error {
	if err := put(w, "Organization", "sandbox-hospital", object{"active": true, "name": hospital,
		"identifier": list{object{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1992000000"}},
		"telecom":    list{object{"system": "phone", "value": "+1-555-0100", "use": "work"}},
		"address":    list{address("1 Harbor Way", "Boston", "02110")}}); err != nil {
		return err
	}
	if err := put(w, "Location", "virtual-clinic", object{"status": "active", "name": "Virtual clinic", "mode": "instance",
		"managingOrganization": ref(organization, hospital),
		"extension":            list{object{"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": Zone}}}); err != nil {
		return err
	}
	for _, c := range clinicians() {
		if err := loadClinician(w, c); err != nil {
			return err
		}
	}
	return nil
}

func address(line, city, postal string) object {
	return object{"use": "home", "line": list{line}, "city": city, "state": "MA", "postalCode": postal, "country": "US"}
}

func loadClinician(w Writer, c clinician) error {
	name := "Dr. " + c.given + " " + c.family
	if err := put(w, "Practitioner", c.id(), object{"active": true, "gender": c.gender,
		"identifier": list{object{"system": "http://hl7.org/fhir/sid/us-npi", "value": c.npi}},
		"name":       list{object{"use": "official", "text": name, "family": c.family, "given": list{c.given}, "prefix": list{"Dr."}}},
		"telecom":    list{object{"system": "email", "value": c.username + "@sandbox-hospital.example", "use": "work"}}}); err != nil {
		return err
	}
	if err := put(w, "PractitionerRole", "role-"+c.key, object{"active": true, "practitioner": ref("Practitioner/"+c.id(), name),
		"organization": ref(organization, hospital), "location": list{ref(location, "Virtual clinic")},
		"code":      list{concept("http://terminology.hl7.org/CodeSystem/practitioner-role", "doctor", "Doctor")},
		"specialty": list{concept("http://nucc.org/provider-taxonomy", c.specialtyCode, c.specialty)}}); err != nil {
		return err
	}
	return put(w, "Schedule", "schedule-"+c.key, object{"active": true, "actor": list{ref("Practitioner/"+c.id(), name), ref(location, "Virtual clinic")},
		"serviceType": list{videoVisit()}, "specialty": list{concept("http://nucc.org/provider-taxonomy", c.specialtyCode, c.specialty)}})
}

func videoVisit() object {
	return concept("https://sandbox-hospital.example/service-type", "video-visit", "Video visit")
}

// Zone is the IANA time zone of the hospital.
const Zone = "America/New_York"

// MRNSystem is the identifier system of medical record numbers.
const MRNSystem = "https://sandbox-hospital.example/mrn"

func patientID(i int) string { return fmt.Sprintf("pat-%04d", i+1) }

// mrn spreads the numbers, so that neighbours in the list do not look alike.
func mrn(i int) string { return fmt.Sprintf("%08d", 10_004_417+i*7_919) }

// age in whole years on a day.
func age(born string, on time.Time) int {
	b, err := time.Parse(time.DateOnly, born)
	if err != nil {
		return 0
	}
	years := on.Year() - b.Year()
	if on.YearDay() < b.YearDay() {
		years--
	}
	return years
}
