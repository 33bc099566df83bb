package main

import (
	"time"

	"github.com/televisit/televisit/api/web"
)

// noon is the instant at which every scene plays.
func noon() time.Time {
	zone := time.FixedZone("EST", -5*3600)
	return time.Date(2026, 3, 12, 10, 42, 7, 0, zone)
}

func at(hour, minute int) time.Time {
	n := noon()
	return time.Date(n.Year(), n.Month(), n.Day(), hour, minute, 0, 0, n.Location())
}

func checks(camera, mic, network string) []web.DeviceCheck {
	return []web.DeviceCheck{{Device: "camera", Result: camera}, {Device: "mic", Result: mic}, {Device: "network", Result: network}}
}

func worklistRows() []web.WorklistGroup {
	start := func(id string) web.RowAction {
		return web.RowAction{Key: "start", Href: "/visits/" + id + "/start", Post: true}
	}
	return []web.WorklistGroup{
		{Key: "waiting", Rows: []web.WorklistRow{
			{ID: "1", StartsAt: at(10, 15), Minutes: 20, Patient: "Ruiz, Ana", Age: "34", Pronoun: "she/her", Reason: "Knee pain after a fall on the stairs", Type: "follow-up", Language: "es", Interpreter: true,
				Checks: checks("ok", "ok", "ok"), State: "waiting", Since: at(10, 20), Waited: 22, Action: start("1"), Link: true, Cancel: true},
			{ID: "2", StartsAt: at(10, 30), Minutes: 20, Patient: "Lindqvist, Torsten", Age: "71", Reason: "Blood pressure review", Type: "video",
				Checks: checks("ok", "denied", "ok"), State: "waiting", Since: at(10, 29), Waited: 13, Action: start("2"), Link: true, Cancel: true},
			{ID: "3", StartsAt: at(10, 40), Minutes: 15, Patient: "Okafor, Chidi", Age: "8", Reason: "Rash", Type: "urgent",
				Checks: checks("ok", "ok", "skipped"), State: "waiting", Since: at(10, 39), Waited: 3, Action: start("3"), Link: true, Cancel: true},
		}},
		{Key: "call", Rows: []web.WorklistRow{{ID: "4", StartsAt: at(10, 0), Minutes: 40, Patient: "Nguyen, Thi Mai", Age: "52", Pronoun: "she/her", Reason: "Diabetes: new glucose readings", Type: "new", Language: "vi", Interpreter: true,
			Checks: checks("ok", "ok", "ok"), State: "in-call", Since: at(10, 2), Action: web.RowAction{Key: "rejoin", Href: "/visits/4"}}}},
		{Key: "next", Rows: []web.WorklistRow{{ID: "5", StartsAt: at(11, 0), Minutes: 20, Patient: "Haddad, Samir", Age: "45", Pronoun: "he/him", Type: "video", State: "booked", Action: web.RowAction{Key: "open", Href: "/visits/5"}, Link: true, Cancel: true, NoShow: true}}},
		{Key: "later", Rows: []web.WorklistRow{
			{ID: "6", StartsAt: at(13, 30), Minutes: 50, Patient: "Kowalczyk, Zofia", Age: "29", Reason: "Anxiety, third session", Type: "therapy", State: "booked", Action: web.RowAction{Key: "open", Href: "/visits/6"}, Link: true, Cancel: true, NoShow: true},
			{ID: "7", StartsAt: at(15, 0), Minutes: 20, Patient: "Bartholomew-Featherstonehaugh, Maximiliana", Age: "63", Pronoun: "they/them", Reason: "A reason that is much longer than what fits into a single line of the list at any sensible width", Type: "follow-up", State: "booked", Action: web.RowAction{Key: "open", Href: "/visits/7"}, Link: true},
		}},
		{Key: "done", Rows: []web.WorklistRow{
			{ID: "8", StartsAt: at(8, 30), Minutes: 20, Patient: "Silva, João", Age: "38", Reason: "Cough", Type: "video", State: "unsigned", Action: web.RowAction{Key: "sign", Href: "/visits/8/review"}},
			{ID: "9", StartsAt: at(9, 0), Minutes: 20, Patient: "Brown, Margaret", Age: "81", Pronoun: "she/her", Reason: "Medication check", Type: "follow-up", State: "undelivered", Problem: "The EHR refused the note type. Your IT team was told.", Action: web.RowAction{Key: "retry", Href: "/visits/9/delivery/retry", Post: true}},
			{ID: "10", StartsAt: at(9, 30), Minutes: 20, Patient: "Ito, Haruka", Age: "47", Reason: "Migraine", Type: "video", State: "accepted", Action: web.RowAction{Key: "read", Href: "/visits/10"}},
			{ID: "11", StartsAt: at(9, 50), Minutes: 10, Patient: "Weber, Jonas", Age: "22", Reason: "Sick note", Type: "video", State: "no-show"},
		}},
	}
}

func worklistScenes() []scene {
	clinician := []string{"clinician"}
	rail := web.Rail{Current: "today", Today: 9, Signing: 1, Undelivered: 1}
	return []scene{
		{name: "worklist-busy", path: "/worklist", roles: clinician, view: &web.WorklistView{List: "today", Day: noon(), Zone: "EST", Rail: rail, AsOf: noon(), Groups: worklistRows()}},
		{name: "worklist-es", path: "/worklist", roles: clinician, lang: "es", view: &web.WorklistView{List: "today", Day: noon(), Zone: "EST", Rail: rail, AsOf: noon(), Groups: worklistRows()}},
		{name: "worklist-empty", path: "/worklist", roles: clinician, view: &web.WorklistView{List: "today", Day: noon(), Zone: "EST", Rail: web.Rail{Current: "today"}, AsOf: noon()}},
		{name: "worklist-signing", path: "/worklist", roles: clinician, view: &web.WorklistView{List: "signing", Day: noon(), Zone: "EST", Rail: web.Rail{Current: "signing", Today: 9, Signing: 1, Undelivered: 1}, AsOf: noon(),
			Groups: []web.WorklistGroup{{Key: "signing", Rows: worklistRows()[4].Rows[:1]}}}},
		{name: "novisit", path: "/launch/callback", roles: clinician, view: &web.NoVisitView{Patient: "Ana Ruiz", BirthDate: "12 Mar 1992", Token: "t", Candidates: worklistRows()[3].Rows[:1]}},
		{name: "novisit-busy", path: "/launch/callback", roles: clinician, view: &web.NoVisitView{Patient: "Ana Ruiz", BirthDate: "12 Mar 1992", Busy: true}},
	}
}
