package note

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/televisit/televisit/identity/phi"
)

// Body is what the clinician wrote.
type Body struct {
	Subjective phi.Text `json:"subjective"`
	Objective  phi.Text `json:"objective"`
	Assessment phi.Text `json:"assessment"`
	Plan       phi.Text `json:"plan"`
}

// maxSection is the most bytes of one section.
const maxSection = 64 << 10

type section struct {
	name string // key of the signed JSON
	text *phi.Text
}

func (b *Body) sections() []section {
	return []section{{"subjective", &b.Subjective}, {"objective", &b.Objective}, {"assessment", &b.Assessment}, {"plan", &b.Plan}}
}

// Empty reports whether nothing is written but spaces.
func (b Body) Empty() bool {
	for _, s := range b.sections() {
		if strings.TrimSpace(s.text.Reveal()) != "" {
			return false
		}
	}
	return true
}

// Equal reports whether both say the same.
func (b Body) Equal(other Body) bool {
	theirs := other.sections()
	for i, s := range b.sections() {
		if !s.text.Equal(*theirs[i].text) {
			return false
		}
	}
	return true
}

// normalised gives the body with \n line ends, or says which section cannot be kept. What is kept can be signed and
// shown everywhere as it is: UTF-8 without control characters or those that reverse the direction of what is read.
func (b Body) normalised() (Body, error) {
	for _, s := range b.sections() {
		text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s.text.Reveal())
		switch {
		case len(text) > maxSection:
			return b, &Invalid{s.name, "is longer than 64 KiB"}
		case !utf8.ValidString(text):
			return b, &Invalid{s.name, "is not UTF-8"}
		case strings.ContainsFunc(text, unseen):
			return b, &Invalid{s.name, "holds a character that cannot be shown"}
		}
		*s.text = phi.NewText(text)
	}
	return b, nil
}

func unseen(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

func (b Body) tree() map[string]any {
	tree := map[string]any{}
	for _, s := range b.sections() {
		tree[s.name] = s.text.Reveal()
	}
	return tree
}

func (b Body) seal(sealer phi.Sealer, visitID uuid.UUID) ([]byte, error) {
	return phi.SealText(sealer, phi.NewText(string(canonical(b.tree()))), draftRow(visitID))
}

func openBody(sealer phi.Sealer, sealed []byte, visitID uuid.UUID) (b Body, err error) {
	text, err := phi.OpenText(sealer, sealed, draftRow(visitID))
	if err != nil {
		return b, err
	}
	return b, json.Unmarshal([]byte(text.Reveal()), &b)
}

func draftRow(visitID uuid.UUID) phi.Row { return phi.Row{Table: "note", Column: "body", ID: visitID} }
