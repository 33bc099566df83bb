package seed

import (
	"fmt"
	"time"
)

const (
	visitMinutes  = 20
	visitsPerDay  = 5 // of each clinician
	slotsPerDay   = 9
	workDaysAhead = 5
)

// LoadDay writes the visits of the hospital's day that now falls in, and free slots for
// the working days after it. Ids hold the date, so that a second call changes nothing.
func LoadDay(w Writer, now time.Time) error {
	zone, err := time.LoadLocation(Zone)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	local := now.In(zone)
	day := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, zone)
	for n, c := range clinicians() {
		for k := range visitsPerDay {
			if err := loadVisit(w, day, now, n, k, c); err != nil {
				return err
			}
		}
	}
	for ahead, loaded := 1, 0; loaded < workDaysAhead; ahead++ {
		next := day.AddDate(0, 0, ahead)
		if next.Weekday() == time.Saturday || next.Weekday() == time.Sunday {
			continue
		}
		loaded++
		if err := loadSlots(w, next); err != nil {
			return err
		}
	}
	return nil
}

// loadVisit places the visits of a day around the moment the day was first opened, so that
// whoever opens the sandbox at midnight finds somebody to call too.
func loadVisit(w Writer, day, now time.Time, n, k int, c clinician) error {
	i := k*len(clinicians()) + n
	p := people()[i]
	first := now.Truncate(10 * time.Minute).Add(-visitMinutes * time.Minute)
	start := first.Add(time.Duration(k*2*visitMinutes+n*10) * time.Minute).In(day.Location())
	end := start.Add(visitMinutes * time.Minute)
	reasons := []string{"Follow-up", "New symptom", "Medication review", "Test results", "Care plan"}
	id := fmt.Sprintf("appt-%s-%s-%d", day.Format("20060102"), c.key, k+1)
	return put(w, "Appointment", id, object{
		"identifier": list{object{"system": "https://sandbox-hospital.example/appointment", "value": id}},
		"status":     "booked", "serviceType": list{videoVisit()},
		"appointmentType": concept("http://terminology.hl7.org/CodeSystem/v2-0276", "FOLLOWUP", "A follow up visit from a previous appointment"),
		"reasonCode":      list{object{"text": reasons[k]}}, "description": "Video visit: " + reasons[k],
		"start": start.Format(time.RFC3339), "end": end.Format(time.RFC3339), "minutesDuration": visitMinutes, "created": day.Format(time.RFC3339),
		"participant": list{
			object{"actor": ref("Patient/"+patientID(i), p.given+" "+p.family), "required": "required", "status": "accepted"},
			object{"actor": ref("Practitioner/"+c.id(), "Dr. "+c.given+" "+c.family), "required": "required", "status": "accepted"},
			object{"actor": ref(location, "Virtual clinic"), "status": "accepted"},
		},
	})
}

func loadSlots(w Writer, day time.Time) error {
	for _, c := range clinicians() {
		for k := range slotsPerDay {
			start := time.Date(day.Year(), day.Month(), day.Day(), 9, k*visitMinutes, 0, 0, day.Location())
			id := fmt.Sprintf("slot-%s-%s-%d", day.Format("20060102"), c.key, k+1)
			if err := put(w, "Slot", id, object{"schedule": ref("Schedule/schedule-"+c.key, "Dr. "+c.given+" "+c.family), "status": "free", "serviceType": list{videoVisit()},
				"start": start.Format(time.RFC3339), "end": start.Add(visitMinutes * time.Minute).Format(time.RFC3339)}); err != nil {
				return err
			}
		}
	}
	return nil
}
