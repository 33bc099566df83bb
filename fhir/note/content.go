package note

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/identity/phi"
)

// format names the shape of the signed JSON; another shape gets another name.
const format = "televisit.note.1"

// Kind says how a signed note relates to what was signed before.
type Kind string

// The kinds. An addendum adds to what it follows; a correction replaces it.
const (
	Original   Kind = "original"
	Addendum   Kind = "addendum"
	Correction Kind = "correction"
)

// Content is what a signature covers.
type Content struct {
	Format       string        `json:"format"`
	Kind         Kind          `json:"kind"`
	Follows      uuid.UUID     `json:"follows"` // the signed note before, or zero
	Note         Body          `json:"note"`
	Visit        Visit         `json:"visit"`
	Patient      Patient       `json:"patient"`
	Clinician    Clinician     `json:"clinician"`
	Participants []Participant `json:"participants"`
	Consent      []Consent     `json:"consent"`
	Recording    *Recording    `json:"recording"`
	Attestation  phi.Text      `json:"attestation"`
}

// Visit is the visit as a signed note states it. Times are UTC, to the second.
type Visit struct {
	ID             uuid.UUID `json:"id"`
	Type           string    `json:"type"`
	ScheduledStart time.Time `json:"scheduledStart"`
	ScheduledEnd   time.Time `json:"scheduledEnd"`
	Started        time.Time `json:"started"`
	Ended          time.Time `json:"ended"`
	TimeZone       string    `json:"timeZone"` // in which people read the times
}

// Patient is whom the note is about.
type Patient struct {
	ID        uuid.UUID `json:"id"`
	Name      phi.Text  `json:"name"`
	BirthDate phi.Date  `json:"birthDate"`
	Reference phi.Text  `json:"reference"`
}

// Clinician is who wrote it.
type Clinician struct {
	ID   uuid.UUID `json:"id"`
	Name phi.Text  `json:"name"`
}

// Participant is somebody who was in the call. Left is zero when that is not known.
type Participant struct {
	ID     uuid.UUID `json:"id"`
	Role   string    `json:"role"`
	Name   phi.Text  `json:"name"`
	Joined time.Time `json:"joined"`
	Left   time.Time `json:"left"`
}

// Consent is a participant's last answer to being recorded.
type Consent struct {
	Participant uuid.UUID `json:"participant"`
	Role        string    `json:"role"`
	Answer      string    `json:"answer"`
	At          time.Time `json:"at"`
}

// Recording says where the recording is watched.
type Recording struct {
	ID  uuid.UUID `json:"id"`
	URL string    `json:"url"`
}

// encode gives the exact bytes that are signed.
func (c Content) encode() phi.Text {
	tree := map[string]any{
		"format": c.Format, "kind": string(c.Kind), "note": c.Note.tree(), "attestation": c.Attestation.Reveal(),
		"visit": map[string]any{"id": c.Visit.ID.String(), "type": c.Visit.Type, "timeZone": c.Visit.TimeZone,
			"scheduledStart": stamp(c.Visit.ScheduledStart), "scheduledEnd": stamp(c.Visit.ScheduledEnd),
			"started": stamp(c.Visit.Started), "ended": stamp(c.Visit.Ended)},
		"patient": map[string]any{"id": c.Patient.ID.String(), "name": c.Patient.Name.Reveal(),
			"birthDate": c.Patient.BirthDate.Reveal(), "reference": c.Patient.Reference.Reveal()},
		"clinician": map[string]any{"id": c.Clinician.ID.String(), "name": c.Clinician.Name.Reveal()},
	}
	if c.Follows != uuid.Nil {
		tree["follows"] = c.Follows.String()
	}
	people := make([]any, 0, len(c.Participants))
	for _, p := range c.Participants {
		person := map[string]any{"id": p.ID.String(), "role": p.Role, "name": p.Name.Reveal(), "joined": stamp(p.Joined)}
		if !p.Left.IsZero() {
			person["left"] = stamp(p.Left)
		}
		people = append(people, person)
	}
	tree["participants"] = people
	answers := make([]any, 0, len(c.Consent))
	for _, a := range c.Consent {
		answers = append(answers, map[string]any{"participant": a.Participant.String(), "role": a.Role, "answer": a.Answer, "at": stamp(a.At)})
	}
	tree["consent"] = answers
	if c.Recording != nil {
		tree["recording"] = map[string]any{"id": c.Recording.ID.String(), "url": c.Recording.URL}
	}
	return phi.NewText(string(canonical(tree)))
}

func stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// decode reads signed bytes back.
func decode(signed phi.Text) (c Content, err error) {
	if err := json.Unmarshal([]byte(signed.Reveal()), &c); err != nil {
		return c, fmt.Errorf("read the signed note: %w", err)
	}
	if c.Format != format {
		return c, errors.New("the signed note has a format that is not known")
	}
	return c, nil
}

// attest writes the sentence by which the clinician stands for the note.
func (c Content) attest() phi.Text {
	var others []string
	for _, p := range c.Participants {
		if p.Role != "clinician" {
			others = append(others, p.Name.Reveal()+" ("+p.Role+")")
		}
	}
	with := "nobody else"
	if len(others) > 0 {
		with = strings.Join(others, ", ")
	}
	return phi.NewText(fmt.Sprintf("I, %s, conducted this visit by live video on %s with %s, and attest that this %s is my own record of it.",
		c.Clinician.Name.Reveal(), c.Visit.period(), with, c.Kind.word()))
}

func (k Kind) word() string {
	if k == Original {
		return "note"
	}
	return string(k)
}

// period writes when the call was, in the visit's time zone.
func (v Visit) period() string {
	zone, err := time.LoadLocation(v.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	from, to := v.Started.In(zone), v.Ended.In(zone)
	until := to.Format("15:04 MST")
	if from.Format(time.DateOnly) != to.Format(time.DateOnly) {
		until = to.Format("2 January 2006 15:04 MST")
	}
	return from.Format("2 January 2006 15:04") + " to " + until + " (" + zone.String() + ")"
}
