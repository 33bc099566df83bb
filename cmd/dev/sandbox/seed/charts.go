package seed

import (
	"fmt"
	"time"
)

func loadPatient(w Writer, i int, p person) error {
	id := patientID(i)
	name := p.given + " " + p.family
	if err := put(w, "Patient", id, patient(i, p)); err != nil {
		return err
	}
	// Ages are taken on a fixed day, so that a chart does not change with the calendar.
	years := age(p.born, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	subject := ref("Patient/"+id, name)
	for n, problem := range problemsFor(i, years) {
		if err := put(w, "Condition", fmt.Sprintf("cond-%04d-%d", i+1, n+1), condition(problem, subject)); err != nil {
			return err
		}
		if problem.drug == "" {
			continue
		}
		if err := put(w, "MedicationRequest", fmt.Sprintf("med-%04d-%d", i+1, n+1), medication(i, problem, subject)); err != nil {
			return err
		}
	}
	if allergy, ok := allergyFor(i); ok {
		return put(w, "AllergyIntolerance", fmt.Sprintf("alg-%04d", i+1), allergyResource(allergy, subject))
	}
	return nil
}

func patient(i int, p person) object {
	c := clinicians()[i%len(clinicians())]
	return object{
		"meta":       object{"profile": list{"http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"}},
		"extension":  patientExtensions(p),
		"identifier": list{object{"use": "usual", "type": concept("http://terminology.hl7.org/CodeSystem/v2-0203", "MR", "Medical record number"), "system": MRNSystem, "value": mrn(i)}},
		"active":     true,
		"name":       list{object{"use": "official", "text": p.given + " " + p.family, "family": p.family, "given": list{p.given}}},
		"telecom": list{object{"system": "phone", "value": fmt.Sprintf("+1-555-01%02d", i+10), "use": "mobile"},
			object{"system": "email", "value": fmt.Sprintf("patient%02d@example.com", i+1), "use": "home"}},
		"gender": p.gender, "birthDate": p.born,
		"address":              list{address(fmt.Sprintf("%d Maple Street", 12+i*3), p.city, fmt.Sprintf("02%03d", 108+i))},
		"communication":        list{object{"language": concept("urn:ietf:bcp:47", p.language, p.label), "preferred": true}},
		"generalPractitioner":  list{ref("Practitioner/"+c.id(), "Dr. "+c.given+" "+c.family)},
		"managingOrganization": ref(organization, hospital),
	}
}

func patientExtensions(p person) list {
	pronouns := map[string][2]string{"he": {"LA29518-0", "he/him/his/his/himself"}, "she": {"LA29519-8", "she/her/her/hers/herself"}, "they": {"LA29520-6", "they/them/their/theirs/themselves"}}
	answer := pronouns[p.pronouns]
	out := list{object{"url": "http://hl7.org/fhir/StructureDefinition/individual-pronouns", "extension": list{
		object{"url": "value", "valueCodeableConcept": concept("http://loinc.org", answer[0], answer[1])}}}}
	if p.interpreter {
		out = append(out, object{"url": "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired", "valueBoolean": true})
	}
	return out
}

// problem is a diagnosis with the drug usually given for it.
type problem struct {
	code, display     string
	drugCode, drug    string
	dose              string
	onset             string
	fromAge, underAge int
}

func problems() []problem {
	return []problem{
		{"38341003", "Hypertensive disorder", "314076", "Lisinopril 10 MG Oral Tablet", "1 tablet by mouth daily", "2016-05-10", 40, 120},
		{"44054006", "Diabetes mellitus type 2", "861007", "Metformin hydrochloride 500 MG Oral Tablet", "1 tablet by mouth twice daily", "2018-09-01", 40, 120},
		{"195967001", "Asthma", "745679", "Albuterol 0.09 MG/ACTUAT Metered Dose Inhaler", "2 puffs every 4 hours as needed", "2014-03-21", 5, 120},
		{"55822004", "Hyperlipidemia", "617312", "Atorvastatin 20 MG Oral Tablet", "1 tablet by mouth at night", "2019-11-12", 40, 120},
		{"37796009", "Migraine", "313161", "Sumatriptan 50 MG Oral Tablet", "1 tablet at onset, may repeat once after 2 hours", "2021-02-04", 15, 70},
		{"24079001", "Atopic dermatitis", "1014314", "Hydrocortisone 10 MG/ML Topical Cream", "apply thinly twice daily", "2020-06-15", 0, 40},
		{"35489007", "Depressive disorder", "312940", "Sertraline 50 MG Oral Tablet", "1 tablet by mouth daily", "2022-01-19", 18, 120},
		{"396275006", "Osteoarthritis", "313782", "Acetaminophen 325 MG Oral Tablet", "2 tablets every 6 hours as needed", "2012-08-08", 55, 120},
		{"65363002", "Otitis media", "308182", "Amoxicillin 80 MG/ML Oral Suspension", "5 mL by mouth twice daily for 10 days", "2025-10-02", 0, 12},
		{"40930008", "Hypothyroidism", "966224", "Levothyroxine sodium 0.05 MG Oral Tablet", "1 tablet by mouth every morning", "2017-04-27", 25, 120},
		{"61582004", "Allergic rhinitis", "", "", "", "2015-04-30", 8, 70},
	}
}

// problemsFor picks up to three problems that fit the age, the same ones every time.
func problemsFor(i, years int) []problem {
	var fit, out []problem
	for _, p := range problems() {
		if years >= p.fromAge && years < p.underAge {
			fit = append(fit, p)
		}
	}
	for n := range min((i+2)%4, len(fit)) {
		out = append(out, fit[(i*5+n)%len(fit)])
	}
	return out
}

func condition(p problem, subject object) object {
	return object{
		"clinicalStatus":     concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active", "Active"),
		"verificationStatus": concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed", "Confirmed"),
		"category":           list{concept("http://terminology.hl7.org/CodeSystem/condition-category", "problem-list-item", "Problem List Item")},
		"code":               concept("http://snomed.info/sct", p.code, p.display), "subject": subject, "onsetDateTime": p.onset, "recordedDate": p.onset,
	}
}

func medication(i int, p problem, subject object) object {
	c := clinicians()[i%len(clinicians())]
	return object{
		"status": "active", "intent": "order", "medicationCodeableConcept": concept("http://www.nlm.nih.gov/research/umls/rxnorm", p.drugCode, p.drug),
		"subject": subject, "authoredOn": "2025-11-03T14:20:00-05:00", "requester": ref("Practitioner/"+c.id(), "Dr. "+c.given+" "+c.family),
		"dosageInstruction": list{object{"text": p.dose}},
	}
}

type allergy struct{ code, display, reaction, category, criticality string }

func allergyFor(i int) (allergy, bool) {
	all := []allergy{
		{"764146007", "Penicillin", "Hives", "medication", "high"},
		{"91935009", "Peanut", "Anaphylaxis", "food", "high"},
		{"387458008", "Aspirin", "Wheezing", "medication", "low"},
		{"111088007", "Latex", "Contact dermatitis", "environment", "low"},
		{"387406002", "Sulfonamide", "Rash", "medication", "low"},
	}
	if i%3 == 1 {
		return allergy{}, false
	}
	return all[i%len(all)], true
}

func allergyResource(a allergy, subject object) object {
	return object{
		"clinicalStatus":     concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active", "Active"),
		"verificationStatus": concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "confirmed", "Confirmed"),
		"type":               "allergy", "category": list{a.category}, "criticality": a.criticality, "code": concept("http://snomed.info/sct", a.code, a.display),
		"patient": subject, "recordedDate": "2020-01-15", "reaction": list{object{"manifestation": list{object{"text": a.reaction}}}},
	}
}
