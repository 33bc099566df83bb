package note_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/identity/phi"
)

func TestSignatureFitsOnlyItsContentAndKey(t *testing.T) {
	f := open(t)
	v := f.drafted(false)
	r, err := f.Review(t.Context(), f.clinician, v.ID)
	f.must(err)
	n, err := f.Sign(t.Context(), f.clinician, v.ID, r.SHA256)
	f.must(err)
	parts := strings.Split(n.Signature, ".")
	if len(parts) != 3 || parts[1] != "" {
		t.Fatalf("the signature is not detached: %d parts", len(parts))
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	f.must(err)
	var protected map[string]any
	f.must(json.Unmarshal(header, &protected))
	if protected["alg"] != "ES256" || protected["kid"] != "k1" || protected["signer"] != f.clinician.ID.URN() || protected["iat"] != float64(f.at.Unix()) {
		t.Fatalf("the protected header is %v", protected)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.must(err)
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + ".."
	for name, try := range map[string]func() error{
		"altered content": func() error {
			_, err := note.VerifySigned(phi.NewText(n.Bytes.Reveal()+" "), n.Signature, f.key.Public())
			return err
		},
		"another key":  func() error { _, err := note.VerifySigned(n.Bytes, n.Signature, other.Public()); return err },
		"no algorithm": func() error { _, err := note.VerifySigned(n.Bytes, none, f.key.Public()); return err },
		"another's header": func() error {
			_, err := note.VerifySigned(n.Bytes, flip(parts[0])+".."+parts[2], f.key.Public())
			return err
		},
		"another signature": func() error {
			_, err := note.VerifySigned(n.Bytes, parts[0]+".."+flip(parts[2]), f.key.Public())
			return err
		},
		"nothing": func() error { _, err := note.VerifySigned(n.Bytes, "", f.key.Public()); return err },
		"attached signature": func() error {
			_, err := note.VerifySigned(n.Bytes, parts[0]+"."+base64.RawURLEncoding.EncodeToString([]byte("x"))+"."+parts[2], f.key.Public())
			return err
		},
	} {
		if err := try(); !errors.Is(err, note.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// flip changes one character in the middle.
func flip(s string) string {
	b := []byte(s)
	i := len(b) / 2
	if b[i]++; b[i] == 'z'+1 || b[i] == 'Z'+1 || b[i] == '9'+1 {
		b[i] -= 2
	}
	return string(b)
}
