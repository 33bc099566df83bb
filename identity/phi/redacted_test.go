package phi_test

import (
	"bytes"
	"database/sql/driver"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	texttemplate "text/template"

	"github.com/televisit/televisit/identity/phi"
	"gopkg.in/yaml.v3"
)

const canary = "Zyxwvut-Canary"
const canaryDate = "1931-07-29"

// patient is how domain structs hold these values: exported, unexported, by pointer, in collections.
type patient struct {
	Name   phi.Text
	Born   phi.Date
	hidden phi.Text
	day    phi.Date
	Ptr    *phi.Text
	Many   []phi.Text
	ByKey  map[string]phi.Date
}

func newPatient(t testing.TB, name string) patient {
	t.Helper()
	text := phi.NewText(name)
	born, err := phi.ParseDate(canaryDate)
	if err != nil {
		t.Fatal(err)
	}
	return patient{Name: text, Born: born, hidden: text, day: born, Ptr: &text, Many: []phi.Text{text}, ByKey: map[string]phi.Date{"k": born}}
}

func mustNotLeak(t testing.TB, where, output string, secrets ...string) {
	t.Helper()
	for _, secret := range append(secrets, canary, canaryDate, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canaryDate)) {
		if strings.Contains(output, secret) {
			t.Errorf("%s leaks the value: %s", where, output)
		}
	}
}

func TestEveryVerbIsRedacted(t *testing.T) {
	p := newPatient(t, canary)
	for _, flags := range []string{"", "+", "#", "-", " ", "0", "+#", "20", ".3", "-30.50"} {
		for verb := '!'; verb <= '~'; verb++ {
			if verb == '%' || strings.ContainsRune("0123456789+-# .*[]", verb) {
				continue
			}
			format := "%" + flags + string(verb)
			for _, value := range []any{p.Name, &p.Name, p.Born, &p.Born, p, &p, p.Many, p.ByKey, []any{p.Name, p}} {
				mustNotLeak(t, format+" "+reflect.TypeOf(value).String(), fmt.Sprintf(format, value))
			}
		}
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, value := range []any{p.Name, p.Born, &p.Name, &p.Born} {
			if got := fmt.Sprintf(format, value); got != phi.Redacted {
				t.Errorf("%s of %T = %q, want %q", format, value, got, phi.Redacted)
			}
		}
	}
	wrap := "x: %w" // not a constant, because vet knows that a value is no error
	mustNotLeak(t, "Errorf %w", fmt.Errorf(wrap, p.Name).Error())
	mustNotLeak(t, "Sprint", fmt.Sprint(p, p.Name, p.Born))
	mustNotLeak(t, "String", p.Name.String()+p.Born.String()+p.Name.GoString()+p.Born.GoString())
}

func TestLogsAreRedacted(t *testing.T) {
	p := newPatient(t, canary)
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			slog.New(handler(&out)).With("with", p.Name).Info("m", "name", p.Name, "born", p.Born, "ptr", &p.Name,
				"struct", p, "pointer", &p, "many", p.Many, slog.Group("g", "n", p.Name), slog.Any("map", p.ByKey))
			mustNotLeak(t, name, out.String())
			if !strings.Contains(out.String(), phi.Redacted) {
				t.Errorf("log shows no %s: %s", phi.Redacted, out.String())
			}
		})
	}
}

func TestTemplatesAreRedacted(t *testing.T) {
	p := newPatient(t, canary)
	const page = `{{.Name}} {{.Born}} {{printf "%s %q %v" .Name .Born .}} <a title="{{.Name}}">{{html .Name}}</a>`
	var out bytes.Buffer
	if err := texttemplate.Must(texttemplate.New("").Parse(page)).Execute(&out, p); err != nil {
		t.Fatal(err)
	}
	if err := htmltemplate.Must(htmltemplate.New("").Parse(page)).Execute(&out, p); err != nil {
		t.Fatal(err)
	}
	// In a script html/template uses the JSON encoder, which refuses.
	_ = htmltemplate.Must(htmltemplate.New("").Parse(`<script>let p = {{.Name}}</script>`)).Execute(&out, p)
	mustNotLeak(t, "template", out.String())
}

func TestEncodersFail(t *testing.T) {
	p := newPatient(t, canary)
	for name, encode := range map[string]func(any) ([]byte, error){
		"json": json.Marshal,
		"xml":  xml.Marshal,
		"yaml": yaml.Marshal,
		"gob": func(v any) ([]byte, error) {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return b.Bytes(), err
		},
		"sql": func(v any) ([]byte, error) {
			valuer, ok := v.(driver.Valuer)
			if !ok {
				return nil, phi.ErrNotEncodable // a struct or slice is no query argument at all
			}
			_, err := valuer.Value()
			return nil, err
		},
	} {
		for _, value := range []any{p.Name, p.Born, &p.Name, &p.Born, struct{ N phi.Text }{p.Name}, struct{ D *phi.Date }{&p.Born}, p.Many} {
			out, err := encode(value)
			if err == nil {
				t.Errorf("%s of %T succeeded: %s", name, value, out)
				continue
			}
			mustNotLeak(t, name, string(out)+err.Error())
		}
	}
	if _, err := json.Marshal(p); !errors.Is(err, phi.ErrNotEncodable) {
		t.Errorf("json.Marshal of a struct: %v, want ErrNotEncodable", err)
	}
}

func FuzzRedaction(f *testing.F) {
	f.Add("Anna Rossi-Canary", "%+v")
	f.Add("%s%d%!", "%#20.5q")
	f.Add("\x00\xff\n\"<>&", "%x")
	f.Fuzz(func(t *testing.T, secret, format string) {
		secret = "<<" + secret + "\u2603>>" // never part of the placeholder or of the format
		if strings.Contains(format, "<<") || len(format) > 100 || strings.ContainsAny(format, "*") {
			return
		}
		p := patient{Name: phi.NewText(secret), hidden: phi.NewText(secret), Many: []phi.Text{phi.NewText(secret)}}
		mustNotLeak(t, format, fmt.Sprintf(format, p.Name), secret)
		mustNotLeak(t, format, fmt.Sprintf(format, p), secret)
		mustNotLeak(t, format, fmt.Sprintf(format, &p), secret)
		if p.Name.Reveal() != secret || !p.Name.Equal(phi.NewText(secret)) || p.Name.Equal(phi.NewText(secret+"x")) {
			t.Error("value does not survive")
		}
	})
}
