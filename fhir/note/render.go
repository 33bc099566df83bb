package note

import (
	"html/template"
	"strings"

	"github.com/televisit/televisit/identity/phi"
)

// sectionTitle is how a section is headed in the chart.
func sectionTitle(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

func (c Content) title() string {
	switch c.Kind {
	case Addendum:
		return "Addendum to the note of a video visit"
	case Correction:
		return "Corrected note of a video visit"
	}
	return "Note of a video visit"
}

// line is a labelled fact of the note's head.
type line struct{ Label, Value string }

func (c Content) head() []line {
	var people []string
	for _, p := range c.Participants {
		people = append(people, p.Name.Reveal()+" ("+p.Role+")")
	}
	head := []line{
		{"Patient", c.Patient.Name.Reveal() + ", born " + c.Patient.BirthDate.Reveal()},
		{"Clinician", c.Clinician.Name.Reveal()},
		{"Visit", c.Visit.period()},
	}
	if len(people) > 0 {
		head = append(head, line{"In the call", strings.Join(people, ", ")})
	}
	for _, a := range c.Consent {
		head = append(head, line{"Consent to recording", a.Role + ": " + a.Answer})
	}
	if c.Recording != nil {
		head = append(head, line{"Recording", c.Recording.URL})
	}
	return head
}

// passage is a section that has something in it.
type passage struct{ Title, Text string }

func (c Content) passages() []passage {
	var written []passage
	for _, s := range c.Note.sections() {
		if text := strings.TrimSpace(s.text.Reveal()); text != "" {
			written = append(written, passage{sectionTitle(s.name), text})
		}
	}
	return written
}

// Plain renders a note as plain text, for charts that take nothing else. It holds all that is signed for people to
// read, the address of the recording included.
func Plain(c Content) phi.Text {
	var b strings.Builder
	b.WriteString(c.title() + "\n\n")
	for _, l := range c.head() {
		b.WriteString(l.Label + ": " + l.Value + "\n")
	}
	for _, p := range c.passages() {
		b.WriteString("\n" + strings.ToUpper(p.Title) + "\n" + p.Text + "\n")
	}
	b.WriteString("\n" + c.Attestation.Reveal() + "\n")
	return phi.NewText(b.String())
}

// page is a fragment of XHTML with no style, script or link to fetch: it goes into charts as well as into our own page.
const page = `<article><h1>{{.Title}}</h1><dl>{{range .Head}}<dt>{{.Label}}</dt><dd>{{.Value}}</dd>{{end}}</dl>` +
	`{{range .Passages}}<h2>{{.Title}}</h2>{{range .Lines}}<p>{{.}}</p>{{end}}{{end}}<p>{{.Attestation}}</p></article>`

// HTML renders a note as a fragment of HTML in which everything that somebody wrote is escaped.
func HTML(c Content) template.HTML {
	type written struct {
		Title string
		Lines []string
	}
	var passages []written
	for _, p := range c.passages() {
		passages = append(passages, written{p.Title, lines(p.Text)})
	}
	var b strings.Builder
	data := map[string]any{"Title": c.title(), "Head": c.head(), "Passages": passages, "Attestation": c.Attestation.Reveal()}
	// The template is a constant and the writer cannot fail, so an error is a mistake of this file, and its test shows it.
	if err := template.Must(template.New("note").Parse(page)).Execute(&b, data); err != nil {
		panic(err)
	}
	return template.HTML(b.String()) // #nosec G203 -- made by html/template
}

// lines gives the lines that have something in them.
func lines(text string) []string {
	var full []string
	for l := range strings.SplitSeq(text, "\n") {
		if l = strings.TrimRight(l, " \t"); l != "" {
			full = append(full, l)
		}
	}
	return full
}
