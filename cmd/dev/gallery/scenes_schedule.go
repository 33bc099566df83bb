package main

import (
	"time"

	"github.com/televisit/televisit/api/web"
)

func block(id string, start time.Time, minutes int, patient, kind, state string) web.Block {
	return web.Block{ID: id, StartsAt: start, EndsAt: start.Add(time.Duration(minutes) * time.Minute), Patient: patient, Type: kind, State: state,
		Top: web.CalendarTop(start), Height: web.CalendarHeight(minutes)}
}

func schedule(panel web.BookPanel) *web.ScheduleView {
	columns := []web.DayColumn{
		{ID: "k", Name: "Dr. Kofi Osei", Zone: "EST", HasNow: true, Now: web.CalendarTop(noon()), Blocks: []web.Block{
			block("1", at(8, 30), 20, "Silva, João", "video", "unsigned"), block("2", at(10, 0), 40, "Nguyen, Thi Mai", "new", "in-call"),
			block("3", at(10, 40), 20, "Ruiz, Ana", "follow-up", "waiting"), block("4", at(13, 30), 50, "Kowalczyk, Zofia", "therapy", "booked")}},
		{ID: "m", Name: "Dr. Mara Lindholm", Zone: "EST", HasNow: true, Now: web.CalendarTop(noon()), Blocks: []web.Block{
			block("5", at(9, 0), 20, "Brown, Margaret", "follow-up", "accepted"), block("6", at(11, 0), 15, "Haddad, Samir", "urgent", "booked"), block("7", at(11, 15), 30, "Okafor, Chidi", "new", "booked")}},
		{ID: "p", Name: "Priya Raman, NP", Zone: "MST", HasNow: true, Now: web.CalendarTop(noon()), Blocks: []web.Block{block("8", at(14, 0), 20, "Weber, Jonas", "video", "no-show")}},
	}
	return &web.ScheduleView{Day: noon(), Previous: "2026-03-11", Next: "2026-03-13", Today: "2026-03-12", Columns: columns, Hours: web.CalendarHours(),
		Clinicians: []web.ClinicianChoice{{ID: "k", Name: "Dr. Kofi Osei", Zone: "EST"}, {ID: "m", Name: "Dr. Mara Lindholm", Zone: "EST"}}, Panel: panel}
}

func scheduleScenes() []scene {
	scheduler := []string{"scheduler"}
	ana := web.FoundPatient{ID: "a", EHR: "Sandbox Hospital", Name: "Ana Ruiz", BirthDate: "12 Mar 1992", Age: "34", Gender: "F", MRN: "…4417", Language: "es"}
	slots := []web.SlotChoice{{Value: "1", StartsAt: at(11, 0), First: true, Name: "Dr. Osei"}, {Value: "2", StartsAt: at(11, 20), Name: "Dr. Osei"}, {Value: "3", StartsAt: at(11, 30), Name: "Dr. Lindholm"}, {Value: "4", StartsAt: at(11, 45), Name: "P. Raman"}, {Value: "5", StartsAt: at(12, 0), Name: "Dr. Osei"}}
	types := []web.VisitType{{Code: "follow-up", Minutes: 20, Selected: true}, {Code: "new", Minutes: 40}}
	book := web.BookPanel{Step: "book", Patient: ana, Types: types, Type: "follow-up", Day: "2026-03-12", Slots: slots, Language: "es", Languages: []string{"en", "es", "vi", "zh", "ar"}}
	taken, full := book, book
	taken.Taken, taken.Reason = true, "Knee pain after a fall"
	full.Slots = nil
	booked := web.BookedVisit{ID: "9", Version: 1, StartsAt: at(11, 20), EndsAt: at(11, 40), Clinician: "Dr. Kofi Osei", Patient: "Ana Ruiz", Type: "follow-up", State: "booked", Link: "https://televisit.example/v/3f1c0a52-7d0e-4b6c-9d5e-1f8a7d2b9c10#Zk9vXw", Undo: true, Movable: true}
	search := web.BookPanel{Step: "search", EHRs: []string{"Sandbox Hospital"}}
	list := schedule(search)
	list.List = true
	return []scene{
		{name: "schedule", path: "/schedule", roles: scheduler, view: schedule(search)},
		{name: "schedule-list", path: "/schedule", roles: scheduler, view: list},
		{name: "schedule-results", path: "/schedule", roles: scheduler, view: schedule(web.BookPanel{Step: "results", EHRs: []string{"Sandbox Hospital", "Epic North"}, Query: web.PatientQuery{Family: "Ruiz", BirthDate: "1992-03-12"}, Found: []web.FoundPatient{ana, ana}})},
		{name: "schedule-none-found", path: "/schedule", roles: scheduler, view: schedule(web.BookPanel{Step: "results", EHRs: []string{"Sandbox Hospital"}, Query: web.PatientQuery{Family: "Ruis", BirthDate: "1992-03-12"}})},
		{name: "schedule-offline", path: "/schedule", roles: scheduler, view: schedule(web.BookPanel{Step: "search", Problem: "offline", EHRs: []string{"Sandbox Hospital"}, Query: web.PatientQuery{Family: "Ruiz"}})},
		{name: "schedule-book", path: "/schedule", roles: scheduler, view: schedule(book)},
		{name: "schedule-taken", path: "/schedule", roles: scheduler, view: schedule(taken)},
		{name: "schedule-full", path: "/schedule", roles: scheduler, view: schedule(full)},
		{name: "schedule-booked", path: "/schedule", roles: scheduler, view: schedule(web.BookPanel{Step: "booked", Booked: booked})},
		{name: "schedule-visit", path: "/schedule", roles: scheduler, view: schedule(web.BookPanel{Step: "visit", Booked: booked, Slots: slots})},
		{name: "schedule-no-clinicians", path: "/schedule", roles: scheduler, view: &web.ScheduleView{Day: noon(), Previous: "2026-03-11", Next: "2026-03-13", Today: "2026-03-12", Panel: search}},
		{name: "link", path: "/schedule/:id/link", roles: scheduler, view: &web.LinkView{Patient: "Ana Ruiz", StartsAt: at(11, 20), Clinician: "Dr. Kofi Osei", Link: booked.Link, Expires: at(19, 0)}},
	}
}
