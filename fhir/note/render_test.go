package note

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/televisit/televisit/identity/phi"
)

func sample() Content {
	born, err := phi.ParseDate("1992-03-12")
	if err != nil {
		panic(err)
	}
	c := Content{Format: format, Kind: Original,
		Note: Body{Subjective: phi.NewText("Cough.\nNo fever."), Plan: phi.NewText("<script>alert(1)</script> & rest")},
		Visit: Visit{ID: uuid.MustParse("6a1f0f7e-4c51-4f0e-9d5f-0d3f0a6c1b11"), Type: "video", TimeZone: "America/New_York",
			Started: time.Date(2026, 3, 8, 6, 50, 0, 0, time.UTC), Ended: time.Date(2026, 3, 8, 7, 10, 0, 0, time.UTC)},
		Patient:      Patient{Name: phi.NewText("Ana Ruiz"), BirthDate: born},
		Clinician:    Clinician{Name: phi.NewText("Dr. Osei")},
		Participants: []Participant{{Role: "clinician", Name: phi.NewText("Dr. Osei")}, {Role: "patient", Name: phi.NewText("Ana Ruiz")}, {Role: "guest", Name: phi.NewText("<b>Mia</b>")}},
		Consent:      []Consent{{Role: "patient", Answer: "yes"}},
		Recording:    &Recording{URL: "https://televisit.example/recordings/1"},
	}
	c.Attestation = c.attest()
	return c
}

func TestPlainText(t *testing.T) {
	want := `Note of a video visit

Patient: Ana Ruiz, born 1992-03-12
Clinician: Dr. Osei
Visit: 8 March 2026 01:50 to 03:10 EDT (America/New_York)
In the call: Dr. Osei (clinician), Ana Ruiz (patient), <b>Mia</b> (guest)
Consent to recording: patient: yes
Recording: https://televisit.example/recordings/1

SUBJECTIVE
Cough.
No fever.

PLAN
<script>alert(1)</script> & rest

I, Dr. Osei, conducted this visit by live video on 8 March 2026 01:50 to 03:10 EDT (America/New_York) with Ana Ruiz (patient), <b>Mia</b> (guest), and attest that this note is my own record of it.
`
	if got := Plain(sample()).Reveal(); got != want {
		t.Fatalf("got\n%s", got)
	}
}

func TestHTMLSaysTheSameAndRunsNothing(t *testing.T) {
	got := string(HTML(sample()))
	for _, must := range []string{"<h2>Subjective</h2><p>Cough.</p><p>No fever.</p>", "&lt;script&gt;alert(1)&lt;/script&gt; &amp; rest", "&lt;b&gt;Mia&lt;/b&gt;",
		"<dt>Recording</dt><dd>https://televisit.example/recordings/1</dd>", "attest that this note"} {
		if !strings.Contains(got, must) {
			t.Errorf("the page lacks %s:\n%s", must, got)
		}
	}
	for _, never := range []string{"<script", "<b>", "style", "href"} {
		if strings.Contains(got, never) {
			t.Errorf("the page has %s:\n%s", never, got)
		}
	}
}

func TestTitleTellsTheKind(t *testing.T) {
	for kind, want := range map[Kind]string{Addendum: "Addendum to the note of a video visit\n", Correction: "Corrected note of a video visit\n"} {
		c := sample()
		c.Kind = kind
		if got := Plain(c).Reveal(); !strings.HasPrefix(got, want) {
			t.Errorf("%s begins %q", kind, got[:40])
		}
	}
}

func TestEncodedContentReadsBackTheSame(t *testing.T) {
	first := sample().encode()
	c, err := decode(first)
	if err != nil {
		t.Fatal(err)
	}
	if second := c.encode(); !second.Equal(first) {
		t.Fatalf("read back as\n%s\nfrom\n%s", second.Reveal(), first.Reveal())
	}
	if _, err := decode(phi.NewText(`{"format":"another"}`)); err == nil {
		t.Fatal("a format that is not known was read")
	}
	if _, err := decode(phi.NewText(`{`)); err == nil {
		t.Fatal("half a note was read")
	}
}

func TestCanonicalJSON(t *testing.T) {
	for _, c := range []struct {
		tree any
		want string
	}{
		{map[string]any{"b": 1, "a": []any{true, nil, "x"}, "aa": map[string]any{}}, `{"a":[true,null,"x"],"aa":{},"b":1}`},
		{"\b\t\n\f\r\x0b\x1f\x7f", `"\b\t\n\f\r\u000b\u001f` + "\x7f" + `"`},
		{`"\/<>&`, `"\"\\/<>&"`},
		{"é\u2028😀", "\"é\u2028😀\""},
		{"a\xff", "\"a\uFFFD\""},
		{-12, "-12"},
	} {
		if got := string(canonical(c.tree)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func FuzzCanonicalStringIsJSON(f *testing.F) {
	for _, s := range []string{"", "a\"b\\", "\x00\x1f\u2028", "é\xff😀", "\U0010FFFF"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoded := canonical(map[string]any{"k": s})
		var back map[string]string
		if err := json.Unmarshal(encoded, &back); err != nil || !utf8.Valid(encoded) {
			t.Fatalf("%q is no JSON: %v", encoded, err)
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); back["k"] != want {
			t.Fatalf("%q came back as %q", want, back["k"])
		}
	})
}
