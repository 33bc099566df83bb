package web

import (
	"fmt"
	"html/template"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// functions is what templates may call, bound to one language.
//
//	t "key" "name" value ...    a text with its placeholders filled
//	tn "key" n                  its .one or .other form, with {n}
//	word "prefix." value        the text of prefix+value, for codes such as states
//	language "es"               the name of a language
//	messages "prefix."          the texts of a script, for <script type="application/json">
//	asset "name.js"             the address of a bundled file
//	clock, clock12, day, daylong, stamp: a time in the zone that it carries
//	duration d                  "12:40"; minutes d: 12
func functions(lang string, texts *Texts, assets *Assets) template.FuncMap {
	f := formats{lang: lang, texts: texts}
	return template.FuncMap{
		"t":        func(key string, pairs ...any) string { return texts.Get(lang, key, pairs...) },
		"tn":       func(key string, n int, pairs ...any) string { return texts.Count(lang, key, n, pairs...) },
		"word":     f.word,
		"language": f.language,
		"messages": func(prefix string) map[string]string { return texts.WithPrefix(lang, prefix) },
		"asset":    assets.URL,
		"clock":    f.clock,
		"clock12":  f.clock12,
		"day":      f.day,
		"daylong":  f.dayLong,
		"stamp":    f.stamp,
		"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"date":     func(t time.Time) string { return t.Format(time.DateOnly) },
		"duration": clockDuration,
		"minutes":  func(d time.Duration) int { return int(d / time.Minute) },
		"add":      func(a, b int) int { return a + b },
		"short":    func(id string) string { return id[:min(len(id), 8)] },
		"icon":     icon,
		"row":      func(f Frame, r WorklistRow) rowFrame { return rowFrame{CSRF: f.CSRF, Row: r} },
	}
}

type formats struct {
	lang  string
	texts *Texts
}

// word is the text of a code, or the code itself where no text is known.
func (f formats) word(prefix string, code any) string {
	key := prefix + fmt.Sprint(code)
	if !f.texts.Has(key) {
		return fmt.Sprint(code)
	}
	return f.texts.Get(f.lang, key)
}

// language is the name of a language in the page's own.
func (f formats) language(tag string) string {
	wanted, err := language.Parse(tag)
	if err != nil {
		return tag
	}
	page, err := language.Parse(f.lang)
	if err != nil {
		return tag
	}
	name := display.Languages(page).Name(wanted)
	if first, size := utf8.DecodeRuneInString(name); size > 0 {
		return string(unicode.ToUpper(first)) + name[size:]
	}
	return tag
}

func (f formats) clock(t time.Time) string { return t.Format("15:04") }

// clock12 is the time as patients say it.
func (f formats) clock12(t time.Time) string {
	half := "time.am"
	if t.Hour() >= 12 {
		half = "time.pm"
	}
	return t.Format("3:04") + " " + f.texts.Get(f.lang, half)
}

func (f formats) day(t time.Time) string {
	return f.texts.Get(f.lang, "time.day", "weekday", f.texts.Get(f.lang, "time.weekday."+strconv.Itoa(int(t.Weekday()))),
		"day", t.Day(), "month", f.texts.Get(f.lang, "time.month."+strconv.Itoa(int(t.Month()))))
}

func (f formats) dayLong(t time.Time) string { return f.day(t) + " " + strconv.Itoa(t.Year()) }

func (f formats) stamp(t time.Time) string { return f.dayLong(t) + ", " + t.Format("15:04:05 MST") }

// clockDuration is h:mm:ss without leading zero hours.
func clockDuration(d time.Duration) string {
	s := int(d / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// rowFrame is a row of the worklist and what its forms need.
type rowFrame struct {
	CSRF string
	Row  WorklistRow
}
