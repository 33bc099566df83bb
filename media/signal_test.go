package media

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// vectors reads the documentation's examples.
func vectors(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "messages", folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples in %s (%v)", folder, err)
	}
	list := map[string][]byte{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list[strings.TrimSuffix(filepath.Base(file), ".json")] = raw
	}
	return list
}

// Every example is read, and written again it says the same.
func TestExamplesSurviveARoundTrip(t *testing.T) {
	for folder, read := range map[string]func([]byte) (Message, error){"client": Parse, "server": ParseServer} {
		for name, raw := range vectors(t, folder) {
			t.Run(folder+"/"+name, func(t *testing.T) {
				m, err := read(raw)
				if err != nil {
					t.Fatal(err)
				}
				written, err := json.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				var got, want any
				if json.Unmarshal(written, &got) != nil || json.Unmarshal(raw, &want) != nil {
					t.Fatal("not JSON")
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("read %s\nwrote %s", raw, written)
				}
			})
		}
	}
}

func TestRefusedExamples(t *testing.T) {
	for name, raw := range vectors(t, "refused") {
		if m, err := Parse(raw); err == nil {
			t.Errorf("%s was accepted as %+v", name, m)
		}
	}
}

// Every message type of either direction has an example, and each example is
// in the documentation.
func TestProtocolIsDocumented(t *testing.T) {
	document, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	canonical := func(raw []byte) string { // keys in order
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		written, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return string(written)
	}
	documented := map[string]bool{}
	for _, line := range strings.Split(string(document), "\n") {
		if strings.HasPrefix(line, "{") {
			documented[canonical([]byte(line))] = true
		}
	}
	types := map[string]bool{}
	for _, folder := range []string{"client", "server"} {
		for name, raw := range vectors(t, folder) {
			var m struct {
				Type string `json:"t"`
			}
			if err := json.Unmarshal(raw, &m); err != nil {
				t.Fatal(err)
			}
			types[m.Type] = true
			if !documented[canonical(raw)] {
				t.Errorf("%s/%s is not in PROTOCOL.md: %s", folder, name, canonical(raw))
			}
		}
	}
	for _, known := range []string{
		TypeHello, TypeOffer, TypeCandidate, TypeState, TypeRenew, TypeBye, TypePing, TypeStats, TypeWelcome, TypeAnswer,
		TypeWant, TypeSlots, TypePeer, TypeMuted, TypeUnmuted, TypeRecording, TypeQuality, TypeToken, TypePong, TypeEnded, TypeError,
	} {
		if !types[known] {
			t.Errorf("message type %s has no example", known)
		}
	}
}

func TestParseRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"nothing":        {"", ErrNotJSON},
		"a list":         {`[]`, ErrNotJSON},
		"a number":       {`7`, ErrNotJSON},
		"null":           {`null`, ErrUnknownType},
		"two objects":    {`{"t":"bye"}{"t":"bye"}`, ErrNotJSON},
		"trailing text":  {`{"t":"bye"} x`, ErrNotJSON},
		"cut":            {`{"t":"bye"`, ErrNotJSON},
		"invalid UTF-8":  {"{\"t\":\"bye\",\"x\":\"\xff\"}", ErrNotJSON},
		"too long":       {`{"t":"bye","x":"` + strings.Repeat("a", MaxMessage) + `"}`, ErrTooLong},
		"empty type":     {`{"t":""}`, ErrUnknownType},
		"capital type":   {`{"t":"BYE"}`, ErrUnknownType},
		"unknown fields": {`{"t":"bye","colour":"blue","neg":3}`, nil},
		"spaces":         {" \n{\"t\":\"bye\"}\n ", nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.in))
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	var field *FieldError
	if _, err := Parse([]byte(`{"t":"offer","sdp":"v=0","neg":"one"}`)); !errors.As(err, &field) || field.Field != "neg" {
		t.Errorf("a wrong type gives %v, want the field's name", err)
	}
}

func TestParseErrorsRepeatNothingOfTheMessage(t *testing.T) {
	const secret = "Mary Unmistakable"
	for _, in := range []string{
		`{"t":"` + secret + `"}`, `{"t":"offer","sdp":7,"x":"` + secret + `"}`, `{"t":"hello","token":"` + secret + `"}`, secret,
	} {
		if _, err := Parse([]byte(in)); err == nil || strings.Contains(err.Error(), "Mary") {
			t.Errorf("%s: error %v", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, folder := range []string{"client", "server", "refused"} {
		for _, raw := range vectors(f, folder) {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Parse(raw)
		if err != nil {
			return
		}
		written, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("accepted %q and cannot write it: %v", raw, err)
		}
		again, err := Parse(written)
		if err != nil {
			if errors.Is(err, ErrTooLong) {
				return // escapes may lengthen it
			}
			t.Fatalf("accepted %q but not its own form %q: %v", raw, written, err)
		}
		if !reflect.DeepEqual(normal(m), normal(again)) {
			t.Fatalf("%q became %q", raw, written)
		}
	})
}

// normal maps an empty list, which is not written, to none.
func normal(m Message) Message {
	if len(m.Tracks) == 0 {
		m.Tracks = nil
	}
	if len(m.ICEServers) == 0 {
		m.ICEServers = nil
	}
	if len(m.Peers) == 0 {
		m.Peers = nil
	}
	if len(m.Slots) == 0 {
		m.Slots = nil
	}
	return m
}

// FuzzOffer reads offers as negotiation does before pion sees them.
func FuzzOffer(f *testing.F) {
	f.Add("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 AA\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:1\r\n" +
		"a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=extmap:3 " + uriTransportCC + "\r\na=ssrc-group:FID 1 2\r\na=ssrc:1 cname:x\r\na=ssrc:2 cname:x\r\na=sendrecv\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		description, err := parseSDP(text)
		if err != nil {
			return
		}
		_, _ = fingerprintOf(description)
		table := newMediaTable(description, description)
		if len(table.sections) > maxSections {
			t.Fatalf("%d sections", len(table.sections))
		}
	})
}
