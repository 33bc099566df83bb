package scheduling_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

func ids(views []scheduling.VisitView) []uuid.UUID {
	var list []uuid.UUID
	for _, v := range views {
		list = append(list, v.ID)
	}
	return list
}

// bookAt books half an hour at a wall-clock time of the zone.
func (f *fixture) bookAt(clinician audit.Actor, zone, wall string) uuid.UUID {
	f.t.Helper()
	location, err := time.LoadLocation(zone)
	f.must(err)
	start, err := time.ParseInLocation("2006-01-02 15:04", wall, location)
	f.must(err)
	v, err := f.Book(f.t.Context(), f.scheduler, scheduling.Booking{Clinician: clinician.ID, Patient: f.patient, StartsAt: start, EndsAt: start.Add(30 * time.Minute)})
	f.must(err)
	return v.ID
}

func TestDayIsThatOfEachCliniciansCalendarAlsoWhenTheClockChanges(t *testing.T) {
	f := open(t)
	tokyo := f.staff(f.ward, "clinician", "Dr. Ito", "Asia/Tokyo")
	f.bookAt(f.clinician, "America/New_York", "2026-03-07 23:30")
	first := f.bookAt(f.clinician, "America/New_York", "2026-03-08 00:00")
	last := f.bookAt(f.clinician, "America/New_York", "2026-03-08 23:30") // 23 hours later
	f.bookAt(f.clinician, "America/New_York", "2026-03-09 00:00")
	eastern := f.bookAt(tokyo, "Asia/Tokyo", "2026-03-08 08:00")
	day := scheduling.Date{Year: 2026, Month: time.March, Day: 8}
	all, err := f.Day(t.Context(), f.scheduler, nil, day)
	f.must(err)
	if got := ids(all); !slices.Equal(got, []uuid.UUID{eastern, first, last}) {
		t.Fatalf("the day has %v", got)
	}
	one, err := f.Day(t.Context(), f.scheduler, []uuid.UUID{tokyo.ID}, day)
	f.must(err)
	mine, err := f.Worklist(t.Context(), f.clinician, day)
	f.must(err)
	week, err := f.Calendar(t.Context(), f.scheduler, nil, day.Add(-1), 3)
	f.must(err)
	if !slices.Equal(ids(one), []uuid.UUID{eastern}) || !slices.Equal(ids(mine), []uuid.UUID{first, last}) || len(week) != 5 {
		t.Fatalf("%v, %v, %d in three days", ids(one), ids(mine), len(week))
	}
	if e := f.event("worklist.viewed"); *e.ActorID != f.clinician.ID || !strings.Contains(string(e.Detail), `"visits": 2`) {
		t.Fatalf("event %s", e.Detail)
	}
	var invalid *scheduling.Invalid
	if _, err := f.Calendar(t.Context(), f.scheduler, nil, day, 43); !errors.As(err, &invalid) {
		t.Fatalf("43 days: %v", err)
	}
}

func TestTodayIsTheCliniciansToday(t *testing.T) {
	f := open(t)
	f.clock.at = time.Date(2026, 3, 3, 2, 0, 0, 0, time.UTC) // still Monday evening in New York
	monday := f.bookAt(f.clinician, "America/New_York", "2026-03-02 22:00")
	f.bookAt(f.clinician, "America/New_York", "2026-03-03 09:00")
	got, err := f.Worklist(t.Context(), f.clinician, scheduling.Date{})
	f.must(err)
	if !slices.Equal(ids(got), []uuid.UUID{monday}) {
		t.Fatalf("today has %v", ids(got))
	}
	free, err := f.FreeTimes(t.Context(), f.scheduler, f.clinician.ID, scheduling.Date{}, 30*time.Minute)
	if err != nil || len(free) != 0 {
		t.Fatalf("%d free times on Monday evening, %v", len(free), err)
	}
	free, err = f.FreeTimes(t.Context(), f.scheduler, f.clinician.ID, scheduling.Date{Year: 2026, Month: 3, Day: 3}, 30*time.Minute)
	f.must(err)
	if len(free) != 36 { // 39 less those that overlap 09:00 to 09:30
		t.Fatalf("%d free times on Tuesday", len(free))
	}
	var invalid *scheduling.Invalid
	for _, length := range []time.Duration{0, -time.Minute, 9 * time.Hour} {
		if _, err := f.FreeTimes(t.Context(), f.scheduler, f.clinician.ID, scheduling.Date{}, length); !errors.As(err, &invalid) {
			t.Fatalf("%s: %v", length, err)
		}
	}
	if _, err := f.FreeTimes(t.Context(), f.scheduler, f.scheduler.ID, scheduling.Date{}, time.Hour); !errors.As(err, &invalid) {
		t.Fatalf("of a scheduler: %v", err)
	}
}

func TestReadingAVisitIsInTheTrail(t *testing.T) {
	f := open(t)
	v := f.book(time.Hour)
	_, err := f.Visit(t.Context(), f.clinician, v.ID)
	f.must(err)
	if e := f.event("visit.viewed"); *e.ActorID != f.clinician.ID || *e.Visit != v.ID || *e.Patient != f.patient || *e.Room != v.Room {
		t.Fatalf("event %+v", e)
	}
	_, err = f.PatientVisits(t.Context(), f.clinician, f.patient)
	f.must(err)
	if e := f.event("patient.visits-viewed"); *e.Patient != f.patient {
		t.Fatalf("event %+v", e)
	}
	f.must(f.PatientsSearched(t.Context(), f.scheduler, "sandbox", 2, f.patient))
	if e := f.event("patient.found"); *e.Patient != f.patient {
		t.Fatalf("event %+v", e)
	}
}

func TestVisitNearIsTheOneThatIsMeant(t *testing.T) {
	f := open(t)
	near := func() uuid.UUID {
		t.Helper()
		v, err := f.VisitByPatientNear(t.Context(), f.clinician, f.clinician.ID, f.patient, f.clock.at)
		if errors.Is(err, scheduling.ErrNotFound) {
			return uuid.Nil
		}
		f.must(err)
		return v.ID
	}
	f.book(13 * time.Hour)
	if near() != uuid.Nil {
		t.Fatal("tomorrow's visit is meant")
	}
	later, sooner := f.book(3*time.Hour), f.book(time.Hour)
	if near() != sooner.ID {
		t.Fatal("the sooner is not meant")
	}
	_, err := f.Start(t.Context(), f.clinician, later.ID)
	f.must(err)
	if near() != later.ID {
		t.Fatal("the running one is not meant")
	}
	_, err = f.End(t.Context(), f.clinician, later.ID, "ended-by-host")
	f.must(err)
	_, err = f.Cancel(t.Context(), f.clinician, sooner.ID, 0, "pat")
	f.must(err)
	if near() != later.ID {
		t.Fatal("the one that waits for its note is not meant")
	}
}

func TestUnfinishedIsWhatWaitsForASignatureOrTheEHR(t *testing.T) {
	f := open(t)
	unsigned := f.inCall()
	_, err := f.End(t.Context(), f.clinician, unsigned.ID, "ended-by-host")
	f.must(err)
	f.book(time.Hour)
	signed, deliveries := f.signed(2 * time.Hour)
	list, err := f.Unfinished(t.Context(), f.clinician)
	f.must(err)
	if !slices.Equal(ids(list), []uuid.UUID{unsigned.ID, signed}) {
		t.Fatalf("unfinished %v", ids(list))
	}
	for _, d := range deliveries {
		f.must(f.RecordDelivery(t.Context(), f.system, d, accepted("X/1"), nil))
	}
	list, err = f.Unfinished(t.Context(), f.clinician)
	f.must(err)
	if !slices.Equal(ids(list), []uuid.UUID{unsigned.ID}) {
		t.Fatalf("unfinished %v", ids(list))
	}
}

func TestExpectedWaitOfAPatient(t *testing.T) {
	f := open(t)
	f.inCall()
	v := f.book(30 * time.Minute)
	f.clock.at = monday().Add(40 * time.Minute) // the call runs over
	_, err := f.Arrive(t.Context(), f.patientOf(v), v.ID, scheduling.DeviceCheck{})
	f.must(err)
	wait, err := f.ExpectedWait(t.Context(), f.patientOf(v), v.ID)
	if err != nil || wait != (scheduling.Wait{Ahead: 1, Expected: 5 * time.Minute}) {
		t.Fatalf("%+v, %v", wait, err)
	}
}

func TestPatientIsKeptOnceAndRefreshed(t *testing.T) {
	f := open(t)
	if again := f.newPatient(f.ward, "Patient/1"); again != f.patient {
		t.Fatal("one patient is two")
	}
	if other := f.newPatient(f.ward, "Patient/2"); other == f.patient {
		t.Fatal("two patients are one")
	}
	born, err := phi.ParseDate("1992-03-13")
	f.must(err)
	_, err = f.SavePatient(t.Context(), f.system, scheduling.Patient{EHR: "sandbox", Reference: phi.NewText("Patient/1"), Name: phi.NewText("Ana Ruiz-Lopez"), BirthDate: born})
	f.must(err)
	p, err := f.PatientByReference(t.Context(), f.clinician, "sandbox", phi.NewText("Patient/1"))
	f.must(err)
	if p.ID != f.patient || p.Name.Reveal() != "Ana Ruiz-Lopez" || p.BirthDate.Reveal() != "1992-03-13" || !p.Details.IsZero() || p.Language != "en" || p.Reference.Reveal() != "Patient/1" {
		t.Fatal("the patient was not refreshed")
	}
	for field, p := range map[string]scheduling.Patient{
		"ehr":       {},
		"reference": {EHR: "x"},
		"name":      {EHR: "x", Reference: phi.NewText("Patient/1")},
		"birthDate": {EHR: "x", Reference: phi.NewText("Patient/1"), Name: phi.NewText("A")},
		"details":   {EHR: "x", Reference: phi.NewText("Patient/1"), Name: phi.NewText("A"), BirthDate: born, Details: phi.NewText("{")},
		"language":  {EHR: "x", Reference: phi.NewText("Patient/1"), Name: phi.NewText("A"), BirthDate: born, Language: "english please"},
	} {
		var invalid *scheduling.Invalid
		if _, err := f.SavePatient(t.Context(), f.system, p); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestNothingThatIdentifiesIsStoredInTheClear(t *testing.T) {
	f := open(t)
	b := f.booking(time.Hour)
	b.Appointment, b.ClientResource = phi.NewText("Appointment/77"), phi.NewText(`{"x":"Cough"}`)
	v, err := f.Book(t.Context(), f.scheduler, b)
	f.must(err)
	f.guest(v, "Mia Guest")
	for _, table := range []string{"visit", "patient", "staff", "participant", "audit_event", "delivery", "visit_stage", "river.river_job"} {
		var found bool
		f.must(f.owner.QueryRow(t.Context(), `select exists (select from `+table+` t where t::text ~ 'Ana|Ruiz|Osei|Cough|Mia|1992|4417|Patient/1|Appointment/77')`).Scan(&found))
		if found {
			t.Errorf("%s holds a value in the clear", table)
		}
	}
	if after := f.load(v.ID); after.State.Stage != visit.Booked {
		t.Fatal("the visit is gone")
	}
}
