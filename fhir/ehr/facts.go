package ehr

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/televisit/televisit/identity/phi"
)

// Patient is what of a Patient resource a visit needs. What the chart lacks is empty.
type Patient struct {
	Name      phi.Text
	BirthDate phi.Date // zero when the chart knows only the year or month
	MRN       phi.Text
	Phone     phi.Text
	Email     phi.Text
	Gender    string // administrative-gender code, or ""
	Language  string // BCP 47, or ""
	Deceased  bool
}

// element shapes of FHIR R4 datatypes, as far as they are read.
type (
	period struct {
		End string `json:"end"`
	}
	coding struct {
		System  string `json:"system"`
		Code    string `json:"code"`
		Display string `json:"display"`
	}
	concept struct {
		Coding []coding `json:"coding"`
		Text   string   `json:"text"`
	}
	identifier struct {
		Use   string  `json:"use"`
		Type  concept `json:"type"`
		Value string  `json:"value"`
	}
	humanName struct {
		Use    string   `json:"use"`
		Text   string   `json:"text"`
		Family string   `json:"family"`
		Given  []string `json:"given"`
		Prefix []string `json:"prefix"`
		Suffix []string `json:"suffix"`
		Period period   `json:"period"`
	}
	contactPoint struct {
		System string `json:"system"`
		Value  string `json:"value"`
		Use    string `json:"use"`
		Rank   int    `json:"rank"`
		Period period `json:"period"`
	}
)

// Demographics reads a Patient. It fails with ErrNotFHIR for anything else.
func Demographics(raw []byte) (Patient, error) {
	var in struct {
		Identifier    []identifier    `json:"identifier"`
		Name          []humanName     `json:"name"`
		Telecom       []contactPoint  `json:"telecom"`
		Gender        string          `json:"gender"`
		BirthDate     string          `json:"birthDate"`
		Deceased      bool            `json:"deceasedBoolean"`
		DeceasedAt    json.RawMessage `json:"deceasedDateTime"`
		Communication []struct {
			Language  concept `json:"language"`
			Preferred bool    `json:"preferred"`
		} `json:"communication"`
	}
	if err := decode(raw, "Patient", &in); err != nil {
		return Patient{}, err
	}
	p := Patient{Name: displayName(in.Name), MRN: recordNumber(in.Identifier), Phone: contact(in.Telecom, "phone"), Email: contact(in.Telecom, "email"),
		Deceased: in.Deceased || len(in.DeceasedAt) > 0}
	if slices.Contains([]string{"male", "female", "other", "unknown"}, in.Gender) {
		p.Gender = in.Gender
	}
	p.BirthDate, _ = phi.ParseDate(in.BirthDate) // a partial date proves nobody and stays zero
	for i, c := range in.Communication {
		if i > 0 && !c.Preferred {
			continue
		}
		for _, code := range c.Language.Coding {
			if isLanguage(code.Code) {
				p.Language = code.Code
				break
			}
		}
		if c.Preferred {
			break
		}
	}
	return p, nil
}

// PractitionerName reads the name of a Practitioner. It fails with ErrNotFHIR for anything else.
func PractitionerName(raw []byte) (phi.Text, error) {
	var in struct {
		Name []humanName `json:"name"`
	}
	if err := decode(raw, "Practitioner", &in); err != nil {
		return phi.Text{}, err
	}
	return displayName(in.Name), nil
}

// Appointment is what of an Appointment a visit needs.
type Appointment struct {
	Status       string
	Start, End   time.Time // zero when the appointment has none
	Patient      phi.Text  // "Patient/id"; empty if it names none, or one elsewhere
	Practitioner phi.Text  // the first one
	Reason       phi.Text
}

// AppointmentFacts reads an Appointment; c tells which references are its EHR's own.
func (c *Client) AppointmentFacts(raw []byte) (Appointment, error) {
	var in struct {
		Status      string    `json:"status"`
		Start       string    `json:"start"`
		End         string    `json:"end"`
		Description string    `json:"description"`
		Reason      []concept `json:"reasonCode"`
		Participant []struct {
			Actor struct {
				Reference string `json:"reference"`
			} `json:"actor"`
		} `json:"participant"`
	}
	if err := decode(raw, "Appointment", &in); err != nil {
		return Appointment{}, err
	}
	a := Appointment{Status: in.Status, Start: instant(in.Start), End: instant(in.End), Reason: phi.NewText(in.Description)}
	for _, p := range in.Participant {
		ref := c.Relative(p.Actor.Reference)
		typ, id, _, ok := splitReference(ref)
		switch {
		case ok && typ == "Patient" && a.Patient.IsZero():
			a.Patient = phi.NewText(typ + "/" + id)
		case ok && typ == "Practitioner" && a.Practitioner.IsZero():
			a.Practitioner = phi.NewText(typ + "/" + id)
		}
	}
	for _, reason := range in.Reason {
		if text := conceptText(reason); text != "" {
			a.Reason = phi.NewText(text)
			break
		}
	}
	return a, nil
}

func decode(raw []byte, typ string, into any) error {
	r, err := Parse(raw)
	if err != nil {
		return err
	}
	if r.Type != typ {
		return notFHIR("no " + typ)
	}
	if json.Unmarshal(raw, into) != nil {
		return notFHIR("a malformed " + typ)
	}
	return nil
}

// displayName prefers the official name, then the usual one, then any that is not out of use.
func displayName(names []humanName) phi.Text {
	for _, use := range []string{"official", "usual", ""} {
		for _, n := range names {
			if n.Use == "old" || n.Use == "maiden" || n.Period.End != "" || use != "" && n.Use != use {
				continue
			}
			text := strings.TrimSpace(n.Text)
			if text == "" {
				parts := slices.Concat(n.Prefix, n.Given, []string{n.Family}, n.Suffix)
				text = strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
			}
			if text != "" {
				return phi.NewText(text)
			}
		}
	}
	return phi.Text{}
}

// recordNumber takes the identifier of type MR (v2-0203), else the usual one.
func recordNumber(ids []identifier) phi.Text {
	for _, id := range ids {
		isMR := slices.ContainsFunc(id.Type.Coding, func(c coding) bool { return c.Code == "MR" })
		if isMR && id.Use != "old" && id.Value != "" {
			return phi.NewText(id.Value)
		}
	}
	for _, id := range ids {
		if id.Use == "usual" && id.Value != "" {
			return phi.NewText(id.Value)
		}
	}
	return phi.Text{}
}

// contact takes the best ranked one in use; of phones without a rank a mobile one.
func contact(points []contactPoint, system string) phi.Text {
	best, bestScore := "", 0
	for _, p := range points {
		if p.System != system || p.Use == "old" || p.Period.End != "" || p.Value == "" {
			continue
		}
		score := 1
		switch {
		case p.Rank > 0:
			score = 1000 - min(p.Rank, 900)
		case p.Use == "mobile":
			score = 2
		}
		if score > bestScore {
			best, bestScore = p.Value, score
		}
	}
	return phi.NewText(best)
}

func conceptText(c concept) string {
	if c.Text != "" {
		return c.Text
	}
	for _, code := range c.Coding {
		if code.Display != "" {
			return code.Display
		}
	}
	return ""
}

// isLanguage knows the form of a BCP 47 tag.
func isLanguage(s string) bool {
	return len(s) >= 2 && len(s) <= 35 && strings.Trim(s, letters+"0123456789-") == ""
}

// instant reads FHIR's type instant; what has no offset is no instant.
func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
