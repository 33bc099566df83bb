package web

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// fill reveals what the visit's clinician sees of it.
func (p *VisitPages) fill(c *gin.Context, v scheduling.VisitView) *WorkspaceView {
	where := zone(v.Clinician.TimeZone)
	view := &WorkspaceView{
		ID: v.ID.String(), State: string(v.State.Stage), Recording: string(v.State.Recording), Note: string(v.State.Note),
		Person: p.person(c, v), Checks: allChecks(v.DeviceCheck),
	}
	if v.ArrivedAt != nil {
		view.WaitingSince = *v.ArrivedAt
	}
	view.Consents, view.MayConfirmConsent = consentLines(v)
	view.Deliveries = deliveryLines(v.Deliveries, where)
	if v.State.Recording != visit.RecordingOff {
		view.RecordingLine = &RecordingLine{State: string(v.State.Recording)}
		if v.Recording != nil && v.Recording.State == "stored" {
			view.RecordingLine.Href = "/recordings/" + v.Recording.ID.String()
		}
	}
	return view
}

func (p *VisitPages) person(c *gin.Context, v scheduling.VisitView) Person {
	known := patientDetails(v.Patient)
	return Person{
		Name: v.Patient.Name.Reveal(), Age: age(v.Patient, p.Now().In(zone(v.Clinician.TimeZone))), Gender: known.Gender, Pronoun: known.Pronoun,
		BirthDate: p.Site.birthDate(p.Site.Lang(c), v.Patient.BirthDate.Reveal()), MRN: lastFour(known.MRN),
		Language: v.Language, Interpreter: v.Interpreter != "",
	}
}

// birthDate writes YYYY-MM-DD as "12 Mar 1992": in no country is that another day.
func (s *Site) birthDate(lang, date string) string {
	born, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return ""
	}
	return strconv.Itoa(born.Day()) + " " + s.texts.Get(lang, "time.month."+strconv.Itoa(int(born.Month()))) + " " + strconv.Itoa(born.Year())
}

func lastFour(s string) string {
	runes := []rune(s)
	return string(runes[max(0, len(runes)-4):])
}

func allChecks(d scheduling.DeviceCheck) []DeviceCheck {
	if d == (scheduling.DeviceCheck{}) {
		return nil
	}
	checks := []DeviceCheck{{"camera", d.Camera}, {"mic", d.Microphone}, {"speaker", d.Speaker}, {"network", d.Network}}
	for i := range checks {
		if checks[i].Result == "" {
			checks[i].Result = "skipped"
		}
	}
	return checks
}

// consentLines gives each person's latest answer, and whether the patient asked to be asked in the call.
func consentLines(v scheduling.VisitView) (lines []ConsentLine, mayConfirm bool) {
	names := namesIn(v, true)
	live := v.State.Stage == visit.InCall
	asked := live
	for _, consent := range v.Consents {
		lines = append(lines, ConsentLine{Name: names[consent.Participant.String()].Name, Answer: consent.Answer})
		if patient := v.Participant(scheduling.RolePatient); patient != nil && patient.ID == consent.Participant {
			asked = live && consent.Answer == scheduling.AnswerAsk
		}
	}
	return lines, asked
}

func deliveryLines(deliveries []scheduling.DeliveryView, where *time.Location) []DeliveryLine {
	var lines []DeliveryLine
	for _, d := range deliveries {
		line := DeliveryLine{ID: d.ID.String(), Kind: d.Kind, State: string(d.State), Attempts: d.Attempts, Reference: d.Reference.Reveal(), Problem: d.Problem,
			QueuedAt: d.DueAt.In(where).Format(time.TimeOnly), UpdatedAt: d.UpdatedAt.In(where).Format(time.TimeOnly)}
		if d.AcceptedAt != nil {
			line.AcceptedAt = d.AcceptedAt.In(where).Format(time.TimeOnly)
		}
		lines = append(lines, line)
	}
	return lines
}

func fillDraft(d note.Draft, where *time.Location) Draft {
	return Draft{Version: d.Version, SavedAt: d.SavedAt.In(where), Subjective: d.Body.Subjective.Reveal(), Objective: d.Body.Objective.Reveal(),
		Assessment: d.Body.Assessment.Reveal(), Plan: d.Body.Plan.Reveal()}
}

func fillSigned(signed []note.Signed, v scheduling.VisitView) []SignedNote {
	var list []SignedNote
	for _, s := range signed {
		item := SignedNote{Kind: string(s.Kind), By: s.Content.Clinician.Name.Reveal(), At: s.SignedAt.In(zone(v.Clinician.TimeZone)), Fingerprint: hex.EncodeToString(s.SHA256)}
		for _, section := range sections(s.Content.Note) {
			if section.Text != "" {
				item.Sections = append(item.Sections, section)
			}
		}
		list = append(list, item)
	}
	return list
}

// sections are the parts of a note in their order.
func sections(b note.Body) []NoteSection {
	return []NoteSection{{"subjective", b.Subjective.Reveal()}, {"objective", b.Objective.Reveal()}, {"assessment", b.Assessment.Reveal()}, {"plan", b.Plan.Reveal()}}
}
