package scheduling

import (
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/uuid"

	"github.com/televisit/televisit/scheduling/visit"
)

func TestOpeningHoursAreTheSameOnTheDayTheClockChanges(t *testing.T) {
	for _, c := range []struct {
		zone, day, opens, closes string // the latter in UTC
	}{
		{"America/New_York", "2026-03-07", "13:00", "23:00"},
		{"America/New_York", "2026-03-08", "12:00", "22:00"}, // summer time begins
		{"America/New_York", "2026-11-01", "13:00", "23:00"}, // and ends
		{"Europe/Berlin", "2026-03-29", "06:00", "16:00"},
		{"Europe/Berlin", "2026-10-25", "07:00", "17:00"},
		{"Australia/Lord_Howe", "2026-04-05", "21:30", "07:30"}, // by half an hour
		{"Australia/Lord_Howe", "2026-10-04", "21:00", "07:00"},
		{"Africa/Cairo", "2026-04-24", "05:00", "15:00"}, // at midnight
		{"Asia/Kolkata", "2026-03-29", "02:30", "12:30"}, // never
		{"Pacific/Kiritimati", "2026-03-29", "18:00", "04:00"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		day, err := ParseDate(c.day)
		if err != nil {
			t.Fatal(err)
		}
		free := freeTimes(day, zone, 30*time.Minute, nil, time.Time{})
		if len(free) != 39 {
			t.Errorf("%s on %s: %d slots", c.zone, c.day, len(free))
			continue
		}
		if opens, closes := free[0].StartsAt.Format("15:04"), free[38].EndsAt.Format("15:04"); opens != c.opens || closes != c.closes {
			t.Errorf("%s on %s: %s to %s UTC, want %s to %s", c.zone, c.day, opens, closes, c.opens, c.closes)
		}
		for i, slot := range free {
			if i > 0 && slot.StartsAt.Sub(free[i-1].StartsAt) != grid {
				t.Errorf("%s on %s: slot %d is %s after the one before", c.zone, c.day, i, slot.StartsAt.Sub(free[i-1].StartsAt))
			}
			if DateOf(slot.StartsAt, zone) != day {
				t.Errorf("%s on %s: slot %d is on another day", c.zone, c.day, i)
			}
		}
	}
}

func TestBookedAndPastTimesAreNotFree(t *testing.T) {
	day := Date{2026, time.March, 2}
	at := func(hour, minute int) time.Time { return day.at(hour, minute, time.UTC) }
	busy := []Slot{{at(9, 0), at(9, 30)}, {at(10, 10), at(10, 20)}}
	free := freeTimes(day, time.UTC, 30*time.Minute, busy, at(8, 20))
	var got []string
	for _, slot := range free[:5] {
		got = append(got, slot.StartsAt.Format("15:04"))
	}
	if want := []string{"08:30", "09:30", "10:30", "10:45", "11:00"}; !slices.Equal(got, want) {
		t.Fatalf("free %v", got)
	}
	if left := freeTimes(day, time.UTC, 30*time.Minute, nil, at(19, 0)); len(left) != 0 {
		t.Fatalf("%d slots after closing", len(left))
	}
	if whole := freeTimes(day, time.UTC, 10*time.Hour, nil, time.Time{}); len(whole) != 1 {
		t.Fatalf("a visit as long as the day fits %d times", len(whole))
	}
}

func TestDates(t *testing.T) {
	d, err := ParseDate("2026-02-28")
	if err != nil || d.Add(1).String() != "2026-03-01" || d.Add(-59).String() != "2025-12-31" || d.IsZero() || !(Date{}).IsZero() {
		t.Fatalf("%v %v", d, err)
	}
	for _, bad := range []string{"", "2026-02-30", "28.2.2026", "2026-02-28T00:00:00Z"} {
		if _, err := ParseDate(bad); err == nil {
			t.Errorf("%q is a date", bad)
		}
	}
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	if got := DateOf(time.Date(2026, 3, 1, 15, 0, 0, 0, time.UTC), tokyo); got.String() != "2026-03-02" {
		t.Fatalf("in Tokyo it is %s", got)
	}
}

func TestExpectedWait(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	minute := func(n int) time.Time { return now.Add(time.Duration(n) * time.Minute) }
	began := func(n int) *time.Time { at := minute(n); return &at }
	mine := inLine{ID: uuid.New(), Stage: visit.Arrived, StartsAt: minute(0), EndsAt: minute(30)}
	waiting := inLine{Stage: visit.Arrived, StartsAt: minute(-30), EndsAt: minute(-10)}
	running := func(since int) inLine {
		return inLine{Stage: visit.InCall, StartsAt: minute(-30), EndsAt: minute(0), StartedAt: began(since)}
	}
	early := mine
	early.StartsAt = minute(7).Add(10 * time.Second)
	started := mine
	started.Stage = visit.InCall
	for name, c := range map[string]struct {
		mine   inLine
		before []inLine
		want   Wait
	}{
		"nobody is before":              {mine, nil, Wait{}},
		"before the time":               {early, nil, Wait{0, 8 * time.Minute}},
		"a call runs":                   {mine, []inLine{running(-20)}, Wait{1, 10 * time.Minute}},
		"a call runs over":              {mine, []inLine{running(-60)}, Wait{1, 5 * time.Minute}},
		"a call runs and one waits":     {mine, []inLine{running(-20), waiting}, Wait{2, 30 * time.Minute}},
		"who is before is done by then": {early, []inLine{running(-60)}, Wait{1, 8 * time.Minute}},
		"the call began":                {started, []inLine{waiting}, Wait{}},
	} {
		if got := expectedWait(now, c.mine, c.before); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestDeliveryMovesOnlyAsTheRulesAllow(t *testing.T) {
	states := []visit.Delivery{visit.DeliveryNone, visit.DeliveryDue, visit.DeliverySent, visit.DeliveryAccepted, visit.DeliveryRejected}
	for _, have := range states {
		for _, want := range states[1:] {
			v := visit.Visit{State: visit.State{Stage: visit.Ended, Note: visit.NoteSigned, Recording: visit.RecordingOff, Delivery: have}}
			for _, command := range toward(have, want) {
				var err error
				if v, _, err = visit.Apply(v, command, time.Time{}); err != nil {
					t.Errorf("from %s to %s: %v", have, want, err)
				}
			}
			backwards := have == visit.DeliveryNone || have == visit.DeliveryAccepted || have == visit.DeliverySent && want == visit.DeliveryDue
			if got := v.State.Delivery; got != want && !backwards || backwards && got != have {
				t.Errorf("from %s to %s leads to %s", have, want, got)
			}
		}
	}
}
