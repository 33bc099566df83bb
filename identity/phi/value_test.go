package phi_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/televisit/televisit/identity/phi"
)

func TestParseDate(t *testing.T) {
	for _, tc := range []struct {
		in string
		ok bool
	}{
		{"1931-07-29", true}, {"2000-02-29", true}, {"0001-01-01", true}, {"9999-12-31", true},
		{"1900-02-29", false}, {"0000-01-01", false}, {"2001-13-01", false}, {"2001-04-31", false}, {"2001-4-3", false},
		{"2001", false}, {"2001-04", false}, {" 2001-04-03", false}, {"2001-04-03T00:00:00Z", false}, {"03.04.2001", false}, {"", false},
		{"２００１-04-03", false},
	} {
		d, err := phi.ParseDate(tc.in)
		if (err == nil) != tc.ok {
			t.Errorf("ParseDate(%q) error = %v, want ok = %v", tc.in, err, tc.ok)
		}
		if tc.ok && (d.Reveal() != tc.in || d.IsZero()) {
			t.Errorf("ParseDate(%q).Reveal() = %q", tc.in, d.Reveal())
		}
		if err != nil && (!errors.Is(err, phi.ErrBadDate) || tc.in != "" && strings.Contains(err.Error(), tc.in)) {
			t.Errorf("ParseDate(%q): error %q is another one or repeats the input", tc.in, err)
		}
	}
}

func TestZeroAndEqual(t *testing.T) {
	var text phi.Text
	var date phi.Date
	if !text.IsZero() || !date.IsZero() || !phi.NewText("").IsZero() || text.Reveal() != "" || date.Reveal() != "" {
		t.Error("zero values are not zero")
	}
	a, b := phi.NewText("Ada"), phi.NewText(strings.Clone("Ada"))
	if !a.Equal(b) || a.Equal(phi.NewText("Adb")) || a.Equal(phi.NewText("Ad")) || a.Equal(text) || !text.Equal(phi.NewText("")) {
		t.Error("Text.Equal is wrong")
	}
	d1, _ := phi.ParseDate("1931-07-29")
	d2, _ := phi.ParseDate("1931-07-28")
	if !d1.Equal(d1) || d1.Equal(d2) || d1.Equal(date) || !date.Equal(phi.Date{}) {
		t.Error("Date.Equal is wrong")
	}
}

func TestDecodersMayFill(t *testing.T) {
	var in struct {
		Name phi.Text `json:"name"`
		Born phi.Date `json:"born"`
		None phi.Date `json:"none"`
	}
	if err := json.Unmarshal([]byte(`{"name":"Ada","born":"1931-07-29","none":""}`), &in); err != nil {
		t.Fatal(err)
	}
	if in.Name.Reveal() != "Ada" || in.Born.Reveal() != "1931-07-29" || !in.None.IsZero() {
		t.Error("decoded values differ")
	}
	err := json.Unmarshal([]byte(`{"born":"31.07.1929"}`), &in)
	if err == nil || strings.Contains(err.Error(), "1929") {
		t.Errorf("bad date: %v, want an error without the value", err)
	}
	if in.Born.Reveal() != "1931-07-29" {
		t.Error("a refused date replaced the earlier one")
	}
}

func FuzzParseDate(f *testing.F) {
	f.Add("1931-07-29")
	f.Add("1900-02-29")
	f.Fuzz(func(t *testing.T, in string) {
		d, err := phi.ParseDate(in)
		if err != nil {
			if !d.IsZero() || err.Error() != phi.ErrBadDate.Error() {
				t.Errorf("ParseDate: %v with date set = %v", err, !d.IsZero())
			}
			return
		}
		if d.Reveal() != in || len(in) != len("2006-01-02") {
			t.Errorf("accepted %q as %q", in, d.Reveal())
		}
	})
}
