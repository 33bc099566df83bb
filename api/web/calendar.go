package web

import (
	"fmt"
	"time"
)

// The calendar shows the whole day, scrolled to its working part, an hour being hourHeight pixels (_pages.css draws the
// same): a visit of a quarter of an hour is then as tall as WCAG 2.2 wants of a target (24 CSS pixels).
const (
	firstHour  = 0
	lastHour   = 24
	hourHeight = 104
	dayPadding = 8
	minHeight  = 24
)

// CalendarTop is where an instant is, in pixels from the top of its column, kept within the shown hours.
func CalendarTop(t time.Time) int {
	minutes := (t.Hour()-firstHour)*60 + t.Minute()
	return dayPadding + min(max(minutes, 0), (lastHour-firstHour)*60)*hourHeight/60
}

// CalendarHeight is how tall so many minutes are; short visits stay readable and can be hit.
func CalendarHeight(minutes int) int { return max(minutes*hourHeight/60-2, minHeight) }

// CalendarHours are the lines of the axis.
func CalendarHours() []HourLine {
	var lines []HourLine
	for hour := firstHour; hour <= lastHour; hour++ {
		lines = append(lines, HourLine{Label: fmt.Sprintf("%02d:00", hour%24), Top: dayPadding + (hour-firstHour)*hourHeight})
	}
	return lines
}

// within tells whether an instant is on the shown part of the day.
func within(t, day time.Time) bool {
	t = t.In(day.Location())
	return t.Year() == day.Year() && t.YearDay() == day.YearDay() && t.Hour() >= firstHour && t.Hour() < lastHour
}
