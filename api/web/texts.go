package web

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"golang.org/x/text/language"
)

// DefaultLanguage is the one every other must match key for key.
const DefaultLanguage = "en"

// Texts holds the sentences of each language, by key.
type Texts struct {
	byLang  map[string]map[string]string
	langs   []string
	matcher language.Matcher
}

// loadTexts reads <language>/*.json: flat objects of key -> text. A key in two files, a key that a language lacks or
// has too many, and placeholders that differ, are errors.
func loadTexts(files fs.FS) (*Texts, error) {
	t := &Texts{byLang: map[string]map[string]string{}}
	names, err := fs.Glob(files, "*/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := t.load(files, name); err != nil {
			return nil, fmt.Errorf("texts %s: %w", name, err)
		}
	}
	for lang := range t.byLang {
		if lang != DefaultLanguage {
			t.langs = append(t.langs, lang)
		}
	}
	sort.Strings(t.langs)
	t.langs = append([]string{DefaultLanguage}, t.langs...)
	tags := make([]language.Tag, len(t.langs))
	for i, lang := range t.langs {
		if tags[i], err = language.Parse(lang); err != nil {
			return nil, err
		}
	}
	t.matcher = language.NewMatcher(tags)
	return t, t.check()
}

func (t *Texts) load(files fs.FS, name string) error {
	data, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	var texts map[string]string
	if err := json.Unmarshal(data, &texts); err != nil {
		return err
	}
	lang := path.Dir(name)
	if t.byLang[lang] == nil {
		t.byLang[lang] = map[string]string{}
	}
	for key, text := range texts {
		if _, twice := t.byLang[lang][key]; twice {
			return fmt.Errorf("key %s is in another file already", key)
		}
		t.byLang[lang][key] = text
	}
	return nil
}

func (t *Texts) check() error {
	base := t.byLang[DefaultLanguage]
	var problems []string
	for _, lang := range t.langs[1:] {
		for key, text := range base {
			other, ok := t.byLang[lang][key]
			switch {
			case !ok:
				problems = append(problems, lang+" lacks "+key)
			case placeholders(other) != placeholders(text):
				problems = append(problems, lang+" "+key+" has other placeholders than "+DefaultLanguage)
			}
		}
		for key := range t.byLang[lang] {
			if _, ok := base[key]; !ok {
				problems = append(problems, DefaultLanguage+" lacks "+key)
			}
		}
	}
	if len(problems) > 0 {
		sort.Strings(problems)
		return fmt.Errorf("texts are incomplete: %s", strings.Join(problems, "; "))
	}
	return nil
}

// placeholders lists a text's {names}, sorted.
func placeholders(text string) string {
	var names []string
	for {
		_, rest, ok := strings.Cut(text, "{")
		if !ok {
			sort.Strings(names)
			return strings.Join(names, ",")
		}
		name, after, _ := strings.Cut(rest, "}")
		names, text = append(names, name), after
	}
}

// Get is the text of key with its {name} placeholders filled from pairs of name and value. An unknown key answers
// itself: a page with one odd word is better than none, and the start-up check has refused unknown literal keys.
func (t *Texts) Get(lang, key string, pairs ...any) string {
	text, ok := t.byLang[t.language(lang)][key]
	if !ok {
		return key
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, "{"+fmt.Sprint(pairs[i])+"}", fmt.Sprint(pairs[i+1]))
	}
	return text
}

// Count is the text of key.one for 1 and key.other else, with {n} filled.
func (t *Texts) Count(lang, key string, n int, pairs ...any) string {
	form := ".other"
	if n == 1 {
		form = ".one"
	}
	return t.Get(lang, key+form, append(pairs, "n", n)...)
}

// WithPrefix gives the texts whose key starts with prefix, for scripts.
func (t *Texts) WithPrefix(lang, prefix string) map[string]string {
	found := map[string]string{}
	for key, text := range t.byLang[t.language(lang)] {
		if strings.HasPrefix(key, prefix) {
			found[key] = text
		}
	}
	return found
}

// Has reports whether key is a text.
func (t *Texts) Has(key string) bool {
	_, ok := t.byLang[DefaultLanguage][key]
	return ok
}

// Languages lists the languages, the default first.
func (t *Texts) Languages() []string { return t.langs }

// Match picks the language for what a person chose (may be empty) and what the browser accepts.
func (t *Texts) Match(chosen, accept string) string {
	if _, ok := t.byLang[chosen]; ok {
		return chosen
	}
	_, index := language.MatchStrings(t.matcher, accept)
	return t.langs[index]
}

func (t *Texts) language(lang string) string {
	if _, ok := t.byLang[lang]; ok {
		return lang
	}
	return DefaultLanguage
}
