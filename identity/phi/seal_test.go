package phi_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/televisit/televisit/identity/phi"
)

// gcmSealer is a real AEAD; identity/keys has the one of production, which this leaf may not import.
type gcmSealer struct{ aead cipher.AEAD }

func newSealer(t testing.TB) gcmSealer {
	t.Helper()
	block, err := aes.NewCipher(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return gcmSealer{aead}
}

func (s gcmSealer) Seal(plain, aad []byte) ([]byte, error) {
	return s.aead.Seal(nil, nil, plain, aad), nil
}
func (s gcmSealer) Open(c, aad []byte) ([]byte, error) { return s.aead.Open(nil, nil, c, aad) }
func (s gcmSealer) Index(domain, value string) []byte {
	mac := hmac.New(sha256.New, []byte(domain))
	mac.Write([]byte(value))
	return mac.Sum(nil)
}

func TestSealedValueBelongsToItsRow(t *testing.T) {
	s := newSealer(t)
	row := phi.Row{Table: "patient", Column: "name", ID: uuid.New()}
	sealed, err := phi.SealText(s, phi.NewText(canary), row)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte(canary)) {
		t.Fatal("sealed bytes contain the value")
	}
	if got, err := phi.OpenText(s, sealed, row); err != nil || got.Reveal() != canary {
		t.Fatalf("OpenText: %v", err)
	}
	for name, other := range map[string]phi.Row{
		"table":    {Table: "guest", Column: row.Column, ID: row.ID},
		"column":   {Table: row.Table, Column: "phone", ID: row.ID},
		"id":       {Table: row.Table, Column: row.Column, ID: uuid.New()},
		"shifted":  {Table: "patientn", Column: "ame", ID: row.ID},
		"shifted2": {Table: "patien", Column: "tname", ID: row.ID},
	} {
		if got, err := phi.OpenText(s, sealed, other); err == nil {
			t.Errorf("opened under another %s as %d bytes", name, len(got.Reveal()))
		}
	}
	tampered := bytes.Clone(sealed)
	tampered[len(tampered)-1] ^= 1
	if _, err := phi.OpenText(s, tampered, row); err == nil {
		t.Error("tampered bytes opened")
	} else {
		mustNotLeak(t, "error", err.Error())
	}
}

func TestSealDateAndEmpty(t *testing.T) {
	s := newSealer(t)
	row := phi.Row{Table: "patient", Column: "born", ID: uuid.New()}
	born, _ := phi.ParseDate(canaryDate)
	sealed, err := phi.SealDate(s, born, row)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := phi.OpenDate(s, sealed, row); err != nil || !got.Equal(born) {
		t.Errorf("OpenDate: %v", err)
	}
	if sealed, err := phi.SealText(s, phi.Text{}, row); sealed != nil || err != nil {
		t.Errorf("empty text: %x, %v, want NULL", sealed, err)
	}
	if got, err := phi.OpenDate(s, nil, row); err != nil || !got.IsZero() {
		t.Errorf("NULL date: %v", err)
	}
	notDate, err := phi.SealText(s, phi.NewText("not a date"), row)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := phi.OpenDate(s, notDate, row); !errors.Is(err, phi.ErrBadDate) {
		t.Errorf("a text opened as date: %v", err)
	}
	for _, bad := range []phi.Row{{}, {Table: "t", Column: "c"}, {Table: "t", ID: uuid.New()}, {Column: "c", ID: uuid.New()}} {
		if _, err := phi.SealText(s, phi.NewText("x"), bad); !errors.Is(err, phi.ErrBadRow) {
			t.Errorf("row %+v: %v, want ErrBadRow", bad, err)
		}
		if _, err := phi.OpenText(s, sealed, bad); !errors.Is(err, phi.ErrBadRow) {
			t.Errorf("row %+v: %v, want ErrBadRow", bad, err)
		}
	}
}

func TestIndex(t *testing.T) {
	s := newSealer(t)
	if phi.IndexText(s, "d", phi.Text{}) != nil || phi.IndexDate(s, "d", phi.Date{}) != nil {
		t.Error("an empty value is searchable")
	}
	born, _ := phi.ParseDate(canaryDate)
	if !bytes.Equal(phi.IndexText(s, "d", phi.NewText(canaryDate)), phi.IndexDate(s, "d", born)) {
		t.Error("equal values index differently")
	}
	if bytes.Equal(phi.IndexDate(s, "d", born), phi.IndexDate(s, "e", born)) {
		t.Error("domains are not separated")
	}
	random := make([]byte, 8)
	_, _ = rand.Read(random)
	if bytes.Equal(phi.IndexText(s, "d", phi.NewText(string(random))), phi.IndexDate(s, "d", born)) {
		t.Error("different values index alike")
	}
}
