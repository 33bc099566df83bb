package web

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

const (
	slotsShown = 8
	undoFor    = 10 * time.Minute
	daysAhead  = 7 // how far the panel looks for a free time by itself
)

func phiText(s string) phi.Text { return phi.NewText(strings.TrimSpace(s)) }

// day fills the calendar of a day: a scheduler's of every clinician, a clinician's own.
func (s *SchedulePages) day(c *gin.Context, wanted string) (*ScheduleView, error) {
	ctx, who, p := c.Request.Context(), api.ActorOf(c), api.PrincipalOf(c)
	me, err := s.Staff.Staff(ctx, who, who.ID)
	if err != nil {
		return nil, err
	}
	now := s.Now().In(zone(me.TimeZone))
	today := scheduling.DateOf(now, now.Location())
	day := today
	if wanted != "" {
		if day, err = scheduling.ParseDate(wanted); err != nil {
			return nil, err
		}
	}
	clinicians, err := s.Staff.Clinicians(ctx, who)
	if err != nil {
		return nil, err
	}
	view := &ScheduleView{Day: midnight(day, now.Location()), Previous: day.Add(-1).String(), Next: day.Add(1).String(), Today: today.String(), Hours: CalendarHours(),
		Panel: BookPanel{Step: "search", EHRs: s.EHRs(p.Org), Languages: usualLanguages()}}
	var own []uuid.UUID
	if !p.Has(identity.Scheduler) {
		clinicians, own, view.Panel.Step = []identity.Staff{me}, []uuid.UUID{me.ID}, "closed"
	}
	visits, err := s.Visits.Day(ctx, who, own, day)
	if err != nil {
		return nil, err
	}
	for _, person := range clinicians {
		view.Clinicians = append(view.Clinicians, ClinicianChoice{ID: person.ID.String(), Name: person.Name.Reveal(), Zone: person.TimeZone})
		view.Columns = append(view.Columns, column(person, visits, midnight(day, zone(person.TimeZone)), s.Now()))
	}
	return view, nil
}

// midnight begins a day in a zone.
func midnight(d scheduling.Date, at *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, at)
}

// usualLanguages are offered when a visit is booked; the patient's own comes first in the panel.
func usualLanguages() []string {
	return []string{"en", "es", "zh", "vi", "ar", "fr", "ko", "pt", "ru", "tl"}
}

func column(person identity.Staff, visits []scheduling.VisitView, day, now time.Time) DayColumn {
	local := day.Location()
	col := DayColumn{ID: person.ID.String(), Name: person.Name.Reveal(), Zone: day.Format("MST"), HasNow: within(now, day), Now: CalendarTop(now.In(local))}
	for _, v := range visits {
		if v.Clinician.ID != person.ID || v.State.Stage == visit.Cancelled {
			continue
		}
		start, minutes := v.StartsAt.In(local), int(v.EndsAt.Sub(v.StartsAt)/time.Minute)
		col.Blocks = append(col.Blocks, Block{ID: v.ID.String(), StartsAt: start, EndsAt: v.EndsAt.In(local), Patient: v.Patient.Name.Reveal(), Type: v.VisitType,
			State: stateOf(v.State), Interpreter: v.Interpreter != "", Top: CalendarTop(start), Height: CalendarHeight(minutes)})
	}
	return col
}

// bookPanel fills the panel for a patient: type, clinician, first free times.
func (s *SchedulePages) bookPanel(c *gin.Context, view *ScheduleView) error {
	ask := func(name string) string { return firstOf(c.Query(name), c.PostForm(name)) }
	id, err := uuid.Parse(ask("patient"))
	if err != nil {
		return api.ErrNotFound
	}
	patient, err := s.Visits.Patient(c.Request.Context(), api.ActorOf(c), id)
	if err != nil {
		return err
	}
	panel := &view.Panel
	panel.Step, panel.Patient = "book", knownPatient(patient, s.Now())
	panel.Language = firstOf(ask("language"), patient.Language, DefaultLanguage)
	if !slices.Contains(panel.Languages, panel.Language) {
		panel.Languages = append([]string{panel.Language}, panel.Languages...)
	}
	panel.Types = slices.Clone(s.Types)
	at := max(slices.IndexFunc(panel.Types, func(t VisitType) bool { return t.Code == ask("type") }), 0)
	panel.Types[at].Selected, panel.Type = true, panel.Types[at].Code
	for i := range view.Clinicians {
		if view.Clinicians[i].ID == ask("clinician") {
			view.Clinicians[i].Selected, panel.Clinician = true, view.Clinicians[i].ID
		}
	}
	return s.freePanel(c, view, time.Duration(panel.Types[at].Minutes)*time.Minute)
}

// freePanel looks for free times on the view's day, and when there are none on the days after it.
func (s *SchedulePages) freePanel(c *gin.Context, view *ScheduleView, length time.Duration) error {
	day := scheduling.DateOf(view.Day, view.Day.Location())
	for range daysAhead {
		var free []SlotChoice
		for _, person := range view.Clinicians {
			if view.Panel.Clinician != "" && !person.Selected {
				continue
			}
			id, err := uuid.Parse(person.ID)
			if err != nil {
				return err
			}
			times, err := s.Visits.FreeTimes(c.Request.Context(), api.ActorOf(c), id, day, length)
			if err != nil {
				return err
			}
			free = append(free, s.slots(view, id, times)...)
		}
		slices.SortStableFunc(free, func(a, b SlotChoice) int { return a.StartsAt.Compare(b.StartsAt) })
		view.Panel.Day = day.String()
		if len(free) > 0 {
			view.Panel.Slots = free[:min(len(free), slotsShown)]
			view.Panel.Slots[0].First = true
			return nil
		}
		day = day.Add(1)
	}
	view.Panel.Day = scheduling.DateOf(view.Day, view.Day.Location()).String()
	return nil
}

// slots shows times in the clinician's zone, with the name where any clinician will do.
func (s *SchedulePages) slots(view *ScheduleView, clinician uuid.UUID, times []scheduling.Slot) []SlotChoice {
	var choices []SlotChoice
	for _, person := range view.Clinicians {
		if person.ID != clinician.String() {
			continue
		}
		for _, free := range times {
			choice := SlotChoice{Value: free.StartsAt.Format(time.RFC3339), StartsAt: free.StartsAt.In(zone(person.Zone)), Clinician: person.ID}
			if view.Panel.Clinician == "" && len(view.Clinicians) > 1 {
				choice.Name = person.Name
			}
			choices = append(choices, choice)
		}
	}
	return choices
}

// visitPanel fills the panel with a booked visit.
func (s *SchedulePages) visitPanel(c *gin.Context, view *ScheduleView, id, step string) error {
	visitID, err := uuid.Parse(id)
	if err != nil {
		return api.ErrNotFound
	}
	ctx, who := c.Request.Context(), api.ActorOf(c)
	v, err := s.Visits.Visit(ctx, who, visitID)
	if err != nil {
		return err
	}
	if err := api.Allow(c, identity.CalendarView, identity.Resource{Visit: visitID, Clinician: v.Clinician.ID}); err != nil {
		return err
	}
	local := zone(v.Clinician.TimeZone)
	panel := &view.Panel
	panel.Step, panel.Clinician = step, v.Clinician.ID.String()
	panel.Booked = BookedVisit{ID: id, Version: v.Version, StartsAt: v.StartsAt.In(local), EndsAt: v.EndsAt.In(local), Clinician: v.Clinician.Name.Reveal(),
		ClinicianID: v.Clinician.ID.String(), Patient: v.Patient.Name.Reveal(), Type: v.VisitType, State: stateOf(v.State),
		Movable: v.State.Stage == visit.Booked, Undo: v.State.Stage == visit.Booked && s.Now().Sub(v.CreatedAt) < undoFor}
	for i := range view.Columns {
		for j := range view.Columns[i].Blocks {
			view.Columns[i].Blocks[j].Selected = view.Columns[i].Blocks[j].ID == id
		}
	}
	for i := range view.Clinicians {
		view.Clinicians[i].Selected = view.Clinicians[i].ID == panel.Clinician
	}
	if !panel.Booked.Movable && v.State.Stage != visit.Arrived {
		return nil
	}
	link, err := s.currentLink(c, visitID)
	if refused := new(join.LinkRefused); err != nil && !errors.As(err, &refused) {
		return err
	}
	panel.Booked.Link = link.URL
	if step == "visit" && panel.Booked.Movable {
		return s.freePanel(c, view, v.EndsAt.Sub(v.StartsAt))
	}
	return nil
}

// length is how long a visit type usually takes; 0 for one that is not offered.
func (s *SchedulePages) length(code string) time.Duration {
	for _, t := range s.Types {
		if t.Code == code {
			return time.Duration(t.Minutes) * time.Minute
		}
	}
	return 0
}

// parseSlot reads the value of a time's button: instant|clinician.
func parseSlot(value string) (time.Time, uuid.UUID, bool) {
	instant, who, _ := strings.Cut(value, "|")
	start, err := time.Parse(time.RFC3339, instant)
	clinician, idErr := uuid.Parse(who)
	return start, clinician, err == nil && idErr == nil
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func foundPatient(p scheduling.Patient, now time.Time) FoundPatient {
	shown := knownPatient(scheduling.PatientView{EHR: p.EHR, Reference: p.Reference, Name: p.Name, BirthDate: p.BirthDate, Details: p.Details, Language: p.Language}, now)
	shown.ID = ""
	return shown
}

func knownPatient(p scheduling.PatientView, now time.Time) FoundPatient {
	d := patientDetails(p)
	return FoundPatient{ID: p.ID.String(), EHR: p.EHR, Ref: p.Reference.Reveal(), Name: p.Name.Reveal(), BirthDate: p.BirthDate.Reveal(), Age: age(p, now),
		Gender: initial(d.Gender), MRN: lastOf(d.MRN), Language: p.Language}
}

func initial(gender string) string {
	if gender == "" {
		return ""
	}
	return strings.ToUpper(gender[:1])
}

// lastOf shows enough of a number to tell two people apart.
func lastOf(mrn string) string {
	if len(mrn) <= 4 {
		return mrn
	}
	return "…" + mrn[len(mrn)-4:]
}
