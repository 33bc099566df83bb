package web

import (
	"fmt"
	"time"
)

// The calendar shows the day from firstHour to lastHour, an hour being hourHeight pixels (_pages.css draws the same).
const (
	firstHour  = 7
	lastHour   = 19
	hourHeight = 80
	dayPadding = 8
)

// CalendarTop is where an instant is, in pixels from the top of its column, kept within the shown hours.
func CalendarTop(t time.Time) int {
	minutes := (t.Hour()-firstHour)*60 + t.Minute()
	return dayPadding + min(max(minutes, 0), (lastHour-firstHour)*60)*hourHeight/60
}

// CalendarHeight is how tall so many minutes are; short visits stay readable.
func CalendarHeight(minutes int) int { return max(minutes*hourHeight/60-2, 18) }

// CalendarHours are the lines of the axis.
func CalendarHours() []HourLine {
	var lines []HourLine
	for hour := firstHour; hour <= lastHour; hour++ {
		lines = append(lines, HourLine{Label: fmt.Sprintf("%02d:00", hour), Top: dayPadding + (hour-firstHour)*hourHeight})
	}
	return lines
}

// within tells whether an instant is on the shown part of the day.
func within(t, day time.Time) bool {
	t = t.In(day.Location())
	return t.Year() == day.Year() && t.YearDay() == day.YearDay() && t.Hour() >= firstHour && t.Hour() < lastHour
}
